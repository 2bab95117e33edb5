"""The command line. Each command imports what it needs, so that reading answers at once."""
