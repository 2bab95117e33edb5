"""`Measurement`: what a probe found, which study files keep; `Curve`: how its curves are read."""

from nextify.records.measurement import Curve as Curve
from nextify.records.measurement import Measurement as Measurement
