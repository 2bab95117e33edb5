"""Measuring networks on this machine: time and memory, beside others' networks of the same name."""

from nextify.measuring.benchmark import Benchmark, Measurement, bench, measure_latency
from nextify.measuring.conditions import Conditions
from nextify.measuring.reference import Library, installed
