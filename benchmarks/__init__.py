"""What recording costs, side by side with the alternatives, in one run: `python -m benchmarks`."""
