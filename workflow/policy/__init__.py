"""The numbers that a user may change, with the durations and calendars that they are written in."""
