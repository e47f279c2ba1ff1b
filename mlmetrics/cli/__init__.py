"""The command line: one group, a file for each command."""
