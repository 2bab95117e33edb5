"""What both models share, and how wide each MLP is so that they cost the same. No torch."""

from dataclasses import dataclass
from typing import Literal

from nextify.scaling.laws.formulas import amounts
from nextify.scaling.laws.mixers import Attention, Mixer, Recurrence

Kind = Literal["transformer", "recurrent"]
KINDS: tuple[Kind, ...] = ("transformer", "recurrent")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Sizes and training of a next-word model; the same for both mixers.

    Attributes:
        width: D. layers: blocks of a mixer and an MLP. heads: of attention.
        ratio: of the Transformer's MLP: D to r D.
        context: positions, N at the most.
        dropout: share of a branch's outputs that is set to zero in training.
        epochs, batch (sentences), rate (of AdamW, falls to zero along a cosine), decay: training.
    """

    width: int = 64
    layers: int = 2
    heads: int = 4
    ratio: int = 2
    context: int = 64
    dropout: float = 0.3
    epochs: int = 20
    batch: int = 16
    rate: float = 3e-3
    decay: float = 0.1


def mixer_of(kind: Kind, settings: Settings) -> Mixer:
    """The mixer of a model: causal attention or the recurrence."""
    transformer = Attention(heads=settings.heads, causal=True)
    return transformer if kind == "transformer" else Recurrence()


def hidden_width(kind: Kind, settings: Settings) -> int:
    """Values inside the MLP, so that both models take equally many MACs at N = context.

    Attention takes 4 N D^2 + 2 N^2 D, the recurrence 2 N D^2, an MLP 2 N D times its inner width:
    the recurrent model's is wider by D + N, exactly.

    >>> hidden_width("transformer", Settings()), hidden_width("recurrent", Settings())
    (128, 256)
    """
    dearer = _mixer_macs("transformer", settings) - _mixer_macs(kind, settings)
    return settings.ratio * settings.width + dearer // (2 * settings.context * settings.width)


def macs_per_word(kind: Kind, settings: Settings, words: int) -> int:
    """Multiply-accumulates of a forward pass per position, at N = context.

    >>> macs_per_word("transformer", Settings(), 1000), macs_per_word("recurrent", Settings(), 1000)
    (145920, 145920)

    Args:
        words: of the vocabulary, whose scores are D MACs each.
    """
    inner = 2 * settings.width * hidden_width(kind, settings)
    mixing = _mixer_macs(kind, settings) // settings.context
    return settings.layers * (mixing + inner) + settings.width * words


def _mixer_macs(kind: Kind, settings: Settings) -> int:
    return amounts(mixer_of(kind, settings), tokens=settings.context, width=settings.width).macs
