"""Simulated shops: the engine's own code under one seed, a virtual clock, and faults at every point where one can happen."""
