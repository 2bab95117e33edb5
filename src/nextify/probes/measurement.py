"""`Measurement`: what a probe found, which study files keep."""

from nextify.records.measurement import Measurement as Measurement
