"""Scaling laws: what mixing tokens costs, derived, counted and timed.

`laws` derives (sympy, no torch), `mixers` are the torch modules, `measuring` counts and times them.
"""
