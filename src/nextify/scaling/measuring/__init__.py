"""Counting and timing mixers and networks on this machine."""

from nextify.scaling.measuring.sweep import choose, measure, measure_mixers
