"""Settings of the program, the documents that users write, and the policy that comes with it."""
