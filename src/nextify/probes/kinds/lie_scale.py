"""Lie derivative, scale: how much the probabilities of the classes begin to change when the
images begin to grow, per factor of e (`nextify.probes.lie`)."""

from nextify.probes.lie import lie_probe

PROBE = lie_probe("scale")
