"""What client and server share of the distribution protocol."""
