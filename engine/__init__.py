"""The use cases. Each takes the instant at which it happens, and goes the same way: load, step, commit."""
