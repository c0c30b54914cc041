"""Photos and videos of claims: checked by content, shown without location data, kept under their digests. No database."""
