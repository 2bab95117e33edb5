"""Lie derivative, rotation: how much the probabilities of the classes begin to change when the
images begin to turn, per radian (`nextify.probes.lie`)."""

from nextify.probes.lie import lie_probe

PROBE = lie_probe("rotation")
