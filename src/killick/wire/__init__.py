"""What the client and the server share: headers, paging, error codes. No I/O."""
