"""The use cases. Each takes the instant at which it happens and does the same: load, step, commit."""
