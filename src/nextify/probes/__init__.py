"""What a trained network is like: probes, which map a network and images to named numbers."""

from nextify.costs import receptive_field
from nextify.probes.known import PROBES, probes_by_word, probes_named
from nextify.probes.measurement import Curve, Measurement
from nextify.probes.measuring import measure
from nextify.probes.probe import Found, Needs, Probe, Subject, Undefined
