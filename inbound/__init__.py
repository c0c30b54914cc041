"""What comes in: foreign files read, checked and turned into orders and reports. No database."""
