"""The kinds of study: each makes a plan of cells from what was asked for."""
