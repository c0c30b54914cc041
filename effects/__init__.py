"""What goes out: texts written from templates, and the channels that carry them. No database."""
