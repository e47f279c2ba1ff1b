"""What type checkers say about the public API."""
