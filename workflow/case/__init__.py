"""The case file of one order, and pure arithmetic over it: claims, money, history, personal data."""
