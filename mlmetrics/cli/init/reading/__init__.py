"""What a project says about itself, found by reading its files; nothing of it is imported or run."""
