"""The process: pure values and functions. An order, a trigger and an instant go in, a step comes out."""
