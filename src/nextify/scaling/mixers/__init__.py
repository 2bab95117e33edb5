"""Mixers as torch modules.

>>> import torch
>>> from nextify.scaling.laws.mixers import mixer
>>> build(mixer("attention"), tokens=9, width=8)(torch.zeros(1, 9, 8)).shape
torch.Size([1, 9, 8])
"""

from nextify.scaling.mixers.build import build
