"""Laws of mixers as sympy expressions, exponents from points, verdicts on them. No torch.

>>> law(mixer("recurrence")).macs
2*B*D**2*N
"""

from nextify.scaling.laws.formulas import Amounts, Law, amounts, law
from nextify.scaling.laws.mixers import (
    MIXERS,
    Attention,
    Convolution,
    FeedForward,
    MatrixProduct,
    Mixer,
    Recurrence,
    WindowAttention,
    in_plane,
    mixer,
)
