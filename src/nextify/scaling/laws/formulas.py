"""The laws: what a mixer costs, as sympy expressions, exact and with all constants.

Symbols: B the batch, N tokens, D their width; R and C the rows and columns of tokens in the plane;
P tokens with those that pad windows; h heads, w window, k kernel, r the MLP's ratio. Memory is in
*values* (4 bytes each in float32), of the plain implementation in `nextify.scaling.mixers`.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import cache
from typing import Any

import sympy as sp

from nextify.scaling.laws import mixers

B, N, P, D, R, C = sp.symbols("B N P D R C", positive=True, integer=True)
h, w, k, r = sp.symbols("h w k r", positive=True, integer=True)
X = B * N * D  # values of the tokens


@dataclass(frozen=True, slots=True)
class Amounts:
    """A law in numbers.

    Attributes:
        macs: multiply-accumulates.
        parameters: values of the weights.
        inference: values alive at once at the peak of a forward pass, input and output included.
        kept: values that the backward pass needs, weights left out.
        fixed: values of masks, and of the places of tokens in windows (int64: two values each).
        sequential: matrix products and convolutions that must wait for one another.
        path: layers that a signal passes between the two tokens farthest apart; infinite where
            they never meet.
    """

    macs: int
    parameters: int
    inference: int
    kept: int
    fixed: int
    sequential: int
    path: float


@dataclass(frozen=True, slots=True)
class Law:
    """What a mixer costs, in symbols; the fields are those of `Amounts`.

    Attributes:
        path_leading: the same of the path.
        constants: values of the symbols that belong to the mixer.
        padded: what P stands for.
    """

    macs: sp.Expr
    parameters: sp.Expr
    inference: sp.Expr
    kept: sp.Expr
    sequential: sp.Expr
    path: sp.Expr = sp.oo
    path_leading: sp.Expr = sp.oo
    fixed: sp.Expr = sp.S.Zero
    constants: tuple[tuple[sp.Symbol, int], ...] = ()
    padded: sp.Expr = N

    @property
    def leading(self) -> sp.Expr:
        """The MACs of one sequence without numbers and padding: the O(.) of the textbooks.

        >>> law(mixers.FeedForward()).leading
        D**2*N*r
        """
        terms = sp.Add.make_args(sp.expand(self.macs.subs({B: 1, P: N})))
        return sp.Add(*(term.as_coeff_Mul()[1] for term in terms))

    def spelled_out(self, expression: sp.Expr) -> sp.Expr:
        """An expression of this law in the symbols of the tokens alone: without P and the mixer's
        own."""
        return expression.subs(P, self.padded).subs(dict(self.constants))


@cache
def law(mixer: mixers.Mixer) -> Law:
    """The law of a mixer.

    >>> law(mixers.Attention()).macs, law(mixers.Attention(projected=False)).macs
    (4*B*D**2*N + 2*B*D*N**2, 2*B*D*N**2)
    """
    return _LAWS[type(mixer)](mixer)


def amounts(mixer: mixers.Mixer, *, batch: int = 1, tokens: mixers.Tokens, width: int) -> Amounts:
    """A mixer's law in numbers.

    >>> amounts(mixers.FeedForward(), tokens=10, width=8).macs
    5120

    Args:
        tokens: how many, or (rows, columns).

    Raises:
        InputError: as `require_shape`.
    """
    rows, columns = mixers.require_shape(mixer, tokens, width)
    found = law(mixer)
    values = {B: batch, N: rows * columns, D: width, R: rows, C: columns}
    names = [field.name for field in fields(Amounts)]
    exact = {name: found.spelled_out(getattr(found, name)).subs(values) for name in names}
    return Amounts(**{name: math.inf if n == sp.oo else int(n) for name, n in exact.items()})  # type: ignore[arg-type]


def dominant(expression: sp.Expr, symbol: sp.Symbol) -> tuple[sp.Expr, int]:
    """The term that wins as a symbol grows, and its exponent; roundings up are left out.

    >>> dominant(law(mixers.Attention()).macs, N)
    (2*B*D*N**2, 2)
    """
    plain = expression.replace(sp.ceiling, lambda inside: inside)
    polynomial = sp.Poly(sp.expand(plain).subs(R * C, N), symbol)
    degree = int(polynomial.degree())
    return polynomial.LC() * symbol**degree, degree


def _product(mixer: mixers.MatrixProduct) -> Law:
    return Law(macs=B * N * D**2, parameters=D**2, inference=2 * X, kept=X, sequential=sp.S.One)


def _attention(mixer: mixers.Attention) -> Law:
    if not mixer.projected:
        return _attention_core()
    map_ = B * h * N**2
    seven = 7 * X  # tokens; query, key and value; and these again, in the order of heads
    return Law(
        macs=4 * B * N * D**2 + 2 * B * N**2 * D,
        parameters=4 * D**2,
        inference=seven if mixer.fused else sp.Max(seven, 5 * X + map_, 4 * X + 2 * map_),
        kept=6 * X + (B * h * N if mixer.fused else map_),
        sequential=sp.Integer(4),
        path=sp.S.One,
        path_leading=sp.S.One,
        fixed=N**2 if mixer.causal and not mixer.fused else sp.S.Zero,
        constants=((h, mixer.heads),),
    )


def _attention_core() -> Law:
    map_ = B * N**2
    return Law(
        macs=2 * N**2 * D * B,
        parameters=sp.S.Zero,
        inference=sp.Max(2 * X + map_, X + 2 * map_),
        kept=2 * X + map_,
        sequential=sp.Integer(2),
        path=sp.S.One,
        path_leading=sp.S.One,
    )


def _window_attention(mixer: mixers.WindowAttention) -> Law:
    size = w**2 if mixer.plane else w
    sides = (R, C) if mixer.plane else (N,)
    tokens, map_ = B * P * D, B * h * P * size
    masked = sp.Piecewise((0, sp.Max(*sides) <= w), (P * size, True))  # one window is not shifted
    return Law(
        macs=4 * B * P * D**2 + 2 * B * P * size * D,
        parameters=4 * D**2,
        inference=X + sp.Max(7 * tokens, 4 * tokens + map_, 3 * tokens + 2 * map_),
        kept=6 * tokens + map_,
        sequential=sp.Integer(4),
        path=_window_path(mixer, sp.Max(*sides)),
        path_leading=(sp.sqrt(N) if mixer.plane else N) / w if mixer.shift else sp.oo,
        fixed=2 * N + (masked if mixer.shift else 0),
        constants=((h, mixer.heads), (w, mixer.window)),
        padded=sp.Mul(*(w * sp.ceiling(side / w) for side in sides)),
    )


def _window_path(mixer: mixers.WindowAttention, farthest: sp.Expr) -> sp.Expr:
    """Layers without and with shift in turn: each after the first carries half a window farther.

    Exact for even windows that divide.
    """
    beyond = 1 + sp.ceiling(2 * (farthest - w) / w) if mixer.shift else sp.oo
    return sp.Piecewise((1, farthest <= w), (beyond, True))


def _recurrence(mixer: mixers.Recurrence) -> Law:
    return Law(
        macs=2 * B * N * D**2,
        parameters=2 * D**2,
        inference=B * D * sp.Max(4 * N, 3 * N + 2),
        kept=B * D * (2 * N + 1),
        sequential=N,  # W h(0) need not wait for U x
        path=N,
        path_leading=N,
    )


def _convolution(mixer: mixers.Convolution) -> Law:
    taps = k**2 if mixer.plane else k
    channels = sp.S.One if mixer.depthwise else D  # that an output sums over
    mixing = D**2 if mixer.depthwise else sp.S.Zero
    stages = 2 if mixer.depthwise else 1
    weights = taps * D * channels + mixing
    return Law(
        macs=sp.expand(B * N * weights),
        parameters=weights,
        inference=(1 + stages) * X,
        kept=stages * X,
        sequential=sp.Integer(stages),
        path=sp.ceiling(2 * (sp.Max(R, C) - 1 if mixer.plane else N - 1) / (k - 1)),
        path_leading=(sp.sqrt(N) if mixer.plane else N) / k,
        constants=((k, mixer.kernel),),
    )


def _feed_forward(mixer: mixers.FeedForward) -> Law:
    return Law(
        macs=2 * r * B * N * D**2,
        parameters=2 * r * D**2,
        inference=(1 + 2 * r) * X,
        kept=(1 + 2 * r) * X,
        sequential=sp.Integer(2),
        constants=((r, mixer.ratio),),
    )


_LAWS: dict[type, Callable[[Any], Law]] = {
    mixers.MatrixProduct: _product,
    mixers.Attention: _attention,
    mixers.WindowAttention: _window_attention,
    mixers.Recurrence: _recurrence,
    mixers.Convolution: _convolution,
    mixers.FeedForward: _feed_forward,
}
