"""Mixers as data: maps from N tokens of width D to N tokens of width D.

A mixer is read twice, as a blueprint is: once by `law`, for formulas, and once by
`nextify.scaling.mixers.build`, for a torch module. None of them has biases: they would add no
multiply-accumulate.
"""

from dataclasses import dataclass, replace

from nextify.designs.fields import hints, read_fields
from nextify.errors import InputError, unknown
from nextify.words import whole_number


@dataclass(frozen=True, slots=True)
class MatrixProduct:
    """A B, for tokens A of N x D and a weight B of D x D. Tokens never meet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attention:
    """softmax(Q K^T / sqrt(d)) V among all tokens ("Attention Is All You Need", section 3.2).

    Attributes:
        heads: attend side by side, each with d = D / heads.
        projected: Q, K, V and the output are projections with weights of D x D; else Q, K and V
            are the tokens themselves, which is all that the paper's N^2 D counts.
        causal: a token attends to itself and to those before it.
        fused: torch's fused kernel, which never stores the N x N map.
    """

    heads: int = 1
    projected: bool = True
    causal: bool = False
    fused: bool = False

    def __post_init__(self) -> None:
        whole_number("heads", self.heads)
        if not self.projected and (self.heads > 1 or self.causal or self.fused):
            raise InputError(
                "projected is False; set it to True for heads, causal or fused attention"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowAttention:
    """Attention within windows of neighbours (Swin, arXiv 2103.14030, section 3.2).

    Windows that do not divide are padded with zero tokens at the end of each axis, and these are
    projected and attended to like others: torchvision's convention.

    Attributes:
        window: tokens in a row, or a side of a square of tokens in the plane.
        shifted: windows begin half a window later; what the cyclic shift brings together from
            opposite borders is masked. An axis of one window is not shifted.
        heads: as in `Attention`.
        plane: tokens are rows x columns; else they are a line.
    """

    window: int
    shifted: bool = False
    heads: int = 1
    plane: bool = False

    def __post_init__(self) -> None:
        whole_number("window", self.window)
        whole_number("heads", self.heads)

    @property
    def shift(self) -> int:
        """Tokens by which windows are moved; those of one token are not, shifted or not."""
        return self.window // 2 if self.shifted else 0


@dataclass(frozen=True, slots=True)
class Recurrence:
    """h(t) = tanh(U x(t) + W h(t-1)), h(0) = 0 (Elman, 1990): one token after the other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Convolution:
    """A convolution that keeps the size: each token meets its neighbours at most k // 2 away.

    Attributes:
        kernel: width k, odd; in the plane k x k.
        depthwise: separable: each channel is convolved by itself, then channels are mixed by a
            matrix product.
        plane: tokens are rows x columns; else they are a line.
    """

    kernel: int
    depthwise: bool = False
    plane: bool = False

    def __post_init__(self) -> None:
        if self.kernel < 3 or self.kernel % 2 == 0:
            raise InputError(f"kernel is {self.kernel}; it must be odd and at least 3")


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedForward:
    """The MLP of a Transformer's block: D to r D, GELU, back to D. Tokens never meet."""

    ratio: int = 4

    def __post_init__(self) -> None:
        whole_number("ratio", self.ratio)


Tokens = int | tuple[int, int]
"""How many, or rows and columns of those in the plane."""
Mixer = MatrixProduct | Attention | WindowAttention | Recurrence | Convolution | FeedForward


def in_plane(mixer: Mixer) -> bool:
    """Do its tokens have rows and columns?"""
    return isinstance(mixer, WindowAttention | Convolution) and mixer.plane


def count_of(tokens: Tokens) -> int:
    """How many."""
    return tokens if isinstance(tokens, int) else tokens[0] * tokens[1]


def heads_of(mixer: Mixer) -> int:
    """By how many the width must be divisible."""
    return mixer.heads if isinstance(mixer, Attention | WindowAttention) else 1


def require_shape(mixer: Mixer, tokens: Tokens, width: int) -> tuple[int, int]:
    """The tokens as rows x columns (one row for a line), if the mixer can take them.

    >>> require_shape(MatrixProduct(), 10, 4)
    (1, 10)

    Raises:
        InputError: a size below 1, a line where a plane is needed, or a width that the heads do
            not divide.
    """
    if isinstance(tokens, int):
        if in_plane(mixer):
            raise InputError(
                f"tokens is {tokens}; a mixer in the plane needs (rows, columns), as (14, 14)"
            )
        tokens = (1, tokens)
    for side in tokens:
        whole_number("tokens", side)
    whole_number("width", width)
    if width % heads_of(mixer):
        raise InputError(
            f"width is {width}; it must be a multiple of the {heads_of(mixer)} attention heads"
        )
    return tokens if in_plane(mixer) else (1, count_of(tokens))


MIXERS: dict[str, Mixer] = {
    "product": MatrixProduct(),
    "attention-core": Attention(projected=False),
    "attention": Attention(),
    "multi-head": Attention(heads=4),
    "causal": Attention(heads=4, causal=True),
    "fused": Attention(heads=4, fused=True),
    "window": WindowAttention(window=64, heads=4),
    "shifted-window": WindowAttention(window=64, heads=4, shifted=True),
    "window-2d": WindowAttention(window=7, heads=4, plane=True),
    "shifted-window-2d": WindowAttention(window=7, heads=4, shifted=True, plane=True),
    "recurrence": Recurrence(),
    "convolution": Convolution(kernel=3),
    "convolution-2d": Convolution(kernel=3, plane=True),
    "separable": Convolution(kernel=7, depthwise=True),
    "separable-2d": Convolution(kernel=7, depthwise=True, plane=True),
    "mlp": FeedForward(),
}


def mixer(text: str) -> Mixer:
    """A mixer by name, and fields that it has otherwise.

    >>> mixer("convolution")
    Convolution(kernel=3, depthwise=False, plane=False)
    >>> mixer("convolution kernel=5")
    Convolution(kernel=5, depthwise=False, plane=False)

    Raises:
        InputError: with the nearest known name, or what a field takes.
    """
    name, *changes = text.split()
    if name not in MIXERS:
        raise unknown("mixer", name, MIXERS)
    found = MIXERS[name]
    if changes and not hints(type(found)):
        raise InputError(f"mixer {text!r}: {name} has no fields; leave {changes[0]!r} out")
    try:
        return replace(found, **read_fields(changes, type(found))[0])
    except InputError as error:
        raise InputError(f"mixer {text!r}: {error}") from error
