"""Carrying a plan out: a supervisor, its crew, what they say to each other and what is shown."""
