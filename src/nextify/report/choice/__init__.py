"""The report of a choice: which design is recommended, and how sure that is."""
