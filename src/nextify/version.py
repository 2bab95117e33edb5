"""The version, for whoever records it."""

__version__ = "0.1.0"
