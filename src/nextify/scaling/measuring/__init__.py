"""Counting and timing mixers on this machine."""

from nextify.scaling.measuring.sweep import Settings, choose, measure, prepare, require_sizes

__all__ = ["Settings", "choose", "measure", "prepare", "require_sizes"]
