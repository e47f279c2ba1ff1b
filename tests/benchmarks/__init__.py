"""Tests of the benchmarks: their checks, their arithmetic, and the table in the README."""
