"""The after-sales process itself: pure rules, no database, no clock, no network."""
