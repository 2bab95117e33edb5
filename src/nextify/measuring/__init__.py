"""Measuring networks on this machine: time and memory, beside others' networks of the same name."""

from nextify.measuring.benchmark import Benchmark, Measurement, bench
from nextify.measuring.conditions import Conditions, Task
from nextify.measuring.latency import measure_latency
from nextify.measuring.reference import LIBRARIES, REFERENCES, Library, installed

__all__ = [
    "LIBRARIES",
    "REFERENCES",
    "Benchmark",
    "Conditions",
    "Library",
    "Measurement",
    "Task",
    "bench",
    "installed",
    "measure_latency",
]
