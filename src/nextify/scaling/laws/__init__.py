"""Laws of mixers as sympy expressions, exponents from points, findings in words. No torch.

>>> law(mixer("recurrence")).macs
2*B*D**2*N
"""

from nextify.scaling.laws.formulas import Amounts, Law, amounts, dominant, law, of_image
from nextify.scaling.laws.mixers import (
    Attention,
    Convolution,
    FeedForward,
    MatrixProduct,
    Mixer,
    Recurrence,
    WindowAttention,
    in_plane,
)
from nextify.scaling.laws.named import MIXERS, mixer

__all__ = [
    "MIXERS",
    "Amounts",
    "Attention",
    "Convolution",
    "FeedForward",
    "Law",
    "MatrixProduct",
    "Mixer",
    "Recurrence",
    "WindowAttention",
    "amounts",
    "dominant",
    "in_plane",
    "law",
    "mixer",
    "of_image",
]
