"""What is really running: containers as their engines tell of them, by digest."""
