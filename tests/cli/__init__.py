"""The command line: each command on a file of its own."""
