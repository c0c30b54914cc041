"""Benchmarks: timings, which are never tests."""
