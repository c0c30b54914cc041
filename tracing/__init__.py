"""Symbolic execution: a function is run once with symbols, and its result serves all inputs that take the same path."""
