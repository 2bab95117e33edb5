"""One file a probe, named as the probe is; each has its `Probe` as `PROBE`."""
