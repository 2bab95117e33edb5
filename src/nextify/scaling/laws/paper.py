"""Table 1 of "Attention Is All You Need" (Vaswani et al., 2017, arXiv 1706.03762) beside our laws.

The paper gives orders, without numbers; ours are exact. Its sentence on separable convolutions
(section 4) is a law here: with a kernel as wide as the sequence they cost what self-attention and
a point-wise layer cost together,

>>> wide = law(mixer("separable")).leading.subs(k, N)
>>> wide
D**2*N + D*N**2
>>> wide == law(mixer("attention-core")).leading + law(mixer("product")).leading
True

in orders. Exactly, attention has 2 N^2 D, for it has two such products, the map and its use.
"""

from dataclasses import dataclass

import sympy as sp

from nextify.scaling.laws.formulas import D, N, k, law, w
from nextify.scaling.laws.mixers import mixer


@dataclass(frozen=True, slots=True)
class PaperRow:
    """What the paper says of a layer; its n, d and r are N, D and w here.

    Attributes:
        layer: its name there.
        macs: "complexity per layer".
        sequential: "sequential operations".
        path: "maximum path length".
        differs: why our law of the mixer says something else.
    """

    layer: str
    macs: sp.Expr
    sequential: sp.Expr
    path: sp.Expr
    differs: str


_ONE = sp.S.One
_LOG = sp.log(N) / sp.log(k)
_ROWS = {  # by the name of our mixer
    "attention-core": ("self-attention", N**2 * D, _ONE, _ONE),
    "attention": ("self-attention", N**2 * D, _ONE, _ONE),
    "recurrence": ("recurrent", N * D**2, N, N),
    "convolution": ("convolutional", k * N * D**2, _ONE, _LOG),
    "shifted-window": ("self-attention, restricted", w * N * D, _ONE, N / w),
    "separable": ("separable convolution, section 4", k * N * D + N * D**2, _ONE, _LOG),
}
_DIFFERS = {
    "attention-core": "two products, the map and its use, one after the other",
    "attention": "the paper leaves the projections out: 4 N D^2, more than the rest while N < 2 D",
    "recurrence": "two products, of the token and of the state before",
    "convolution": "log is for kernels dilated by 1, k, k^2, ...; contiguous ones need N / k, and "
    "ours twice that: a centred kernel reaches (k - 1) / 2 to a side, and the path is between both "
    "ends",
    "shifted-window": "the paper's neighbourhood is around each token, and has no projections; "
    "ours are blocks, moved by w / 2 every other layer (blocks that stay where they are never "
    "meet)",
    "separable": "equal in MACs, and a depthwise and a point-wise product in turn; with k = N it "
    "is N^2 D + N D^2: in orders, self-attention and a point-wise layer",
}
PAPER = {name: PaperRow(*row, _DIFFERS[name]) for name, row in _ROWS.items()}


def far_path(name: str) -> sp.Expr:
    """Our exact path of a mixer where not all tokens are within one window.

    >>> far_path("convolution")
    ceiling((2*N - 2)/(k - 1))
    """
    path = law(mixer(name)).path
    return path.args[-1].expr if isinstance(path, sp.Piecewise) else path
