"""Settings of the program and the policy that comes with it."""
