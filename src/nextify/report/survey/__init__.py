"""A data set that was looked at: sentences, a page, tables."""
