"""Lie derivative, translation: how much the probabilities of the classes begin to change when the
images begin to move, per pixel (`nextify.probes.lie`)."""

from nextify.probes.lie import lie_probe

PROBE = lie_probe("translation")
