"""Arithmetic before the runs: which of the 2^k subsets of k factors to train, what they tell
apart, how precisely. No torch.

Modules here and in `findings` write `scipy.stats.…` in full: scipy then imports it at its
first use and not in every worker of a study, which starts a second sooner.
"""
