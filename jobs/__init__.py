"""When things run: APScheduler, the daemon, and the single pass."""
