"""Figures and tables of laws of cost and of what was measured of them."""
