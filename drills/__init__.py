"""Servers and drills: kills, races and outages, for tests and by hand."""
