"""What one run of an operation is: how it begins and ends, and how code is wrapped in it."""
