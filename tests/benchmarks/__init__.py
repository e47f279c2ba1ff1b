"""What the benchmarks say is so: checks before timing, arithmetic, and the table in the README."""
