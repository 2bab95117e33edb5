"""ViT's MACs as one expression in the side of the image: where attention takes over.

S is the side of the image in pixels, p that of a patch, D the width of a token, M that of an MLP's
inside, L blocks, K classes; N = (S/p)^2 + 1 tokens with the class token.
"""

from dataclasses import dataclass
from functools import cache

import sympy as sp

from nextify.designs import Vit

S, N, L, D, M, K = sp.symbols("S N L D M K", positive=True, integer=True)
p = sp.Symbol("p", positive=True, integer=True)
TOKENS = (S / p) ** 2 + 1


@dataclass(frozen=True, slots=True)
class VitLaw:
    """The MACs of a ViT for one image, in N tokens.

    Attributes:
        products: queries with keys, and maps with values: the quadratic term.
        projections: to queries, keys and values, and of the output of attention.
        mlp: of all blocks. ends: patches and classifier.
        overtakes: the side of the image in pixels at which the quadratic term is as much as all
            the rest; beyond it, it is more. tokens: the same as a number of tokens.
    """

    products: sp.Expr
    projections: sp.Expr
    mlp: sp.Expr
    ends: sp.Expr
    overtakes: sp.Expr
    tokens: sp.Expr

    @property
    def total(self) -> sp.Expr:
        """All MACs."""
        return self.products + self.projections + self.mlp + self.ends

    @property
    def share(self) -> sp.Expr:
        """The quadratic term's part of the MACs, 0 to 1, as a function of the side."""
        return sp.simplify((self.products / self.total).subs(N, TOKENS))


@cache
def vit_law() -> VitLaw:
    """The law of all ViTs.

    >>> vit_law().products, vit_law().projections + vit_law().mlp
    (2*D*L*N**2, 4*D**2*L*N + 2*D*L*M*N)
    """
    products = 2 * L * N**2 * D
    projections = 4 * L * N * D**2
    mlp = 2 * L * N * D * M
    ends = 3 * p**2 * D * (N - 1) + D * K
    equal = sp.solve(sp.expand((products - projections - mlp - ends) / D), N)
    # The other root is less than one token.
    tokens = max(equal, key=lambda root: float(root.subs(_EXAMPLE)))
    return VitLaw(products, projections, mlp, ends, p * sp.sqrt(tokens - 1), tokens)


_EXAMPLE = {L: 12, D: 768, M: 3072, p: 16, K: 1000}


def _values(design: Vit, classes: int) -> dict[sp.Symbol, int]:
    return {L: design.depth, D: design.width, M: design.inner, p: design.patch_size, K: classes}


def attention_share(design: Vit, side: float, classes: int = 1000) -> tuple[float, float]:
    """The part of a ViT's MACs in the quadratic term, and that in all of attention, with the
    projections; 0 to 1.

    >>> [round(part, 3) for part in attention_share(Vit(), 224)]
    [0.041, 0.358]
    """
    law, values = vit_law(), {**_values(design, classes), S: sp.Float(side)}
    parts = (law.products, law.products + law.projections)
    total = law.total.subs(N, TOKENS).subs(values)
    return tuple(float(part.subs(N, TOKENS).subs(values) / total) for part in parts)  # type: ignore[return-value]


def overtakes_at(design: Vit, classes: int = 1000) -> float:
    """The side in pixels at which the quadratic term is half of a ViT's MACs.

    >>> round(overtakes_at(Vit()))
    1090
    """
    return float(vit_law().overtakes.subs(_values(design, classes)))
