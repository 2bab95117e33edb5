"""The next-word model: embedding, positions, blocks of a mixer and an MLP, scores of all words.

The two models differ in the mixer alone, and in the MLP's width, which makes up for its cost.
"""

from collections.abc import Callable, Sequence
from functools import partial

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from nextify.scaling.mixers import build
from nextify.scaling.sequence.settings import Kind, Settings, hidden_width, mixer_of


class NextWord(nn.Module):
    """Scores of the next word at every position.

    Shape: (B, N) numbers of words to (B, N, words) scores, N at most the context. Scores at a
    position depend on the words up to it alone.
    """

    def __init__(self, kind: Kind, words: int, settings: Settings) -> None:
        super().__init__()
        self.dropout = settings.dropout
        self.scale = settings.width**0.5  # "Attention Is All You Need", section 3.4
        self.words = nn.Parameter(torch.empty(words, settings.width))
        self.positions = nn.Parameter(torch.empty(settings.context, settings.width))
        self.blocks = nn.ModuleList(Block(kind, settings) for _ in range(settings.layers))
        self.norm = nn.LayerNorm(settings.width, bias=False)
        self.frequency = nn.Parameter(torch.zeros(words))

    def forward(self, numbers: Tensor, draw: Generator | None = None) -> Tensor:
        """Scores. With a generator, as in training: it draws what dropout sets to zero."""
        drop = partial(dropout, share=self.dropout, draw=draw)
        words = self.words[numbers] * self.scale
        x = drop(words + self.positions[: numbers.shape[1]])
        for block in self.blocks:
            x = block(x, drop)
        return F.linear(self.norm(x), self.words, self.frequency)  # a word's vector is its weights


class Block(nn.Module):
    """x + mixer(norm(x)), then x + MLP(norm(x)): a pre-norm Transformer block for any mixer."""

    def __init__(self, kind: Kind, settings: Settings) -> None:
        super().__init__()
        width, hidden = settings.width, hidden_width(kind, settings)
        self.mixer = build(mixer_of(kind, settings), tokens=settings.context, width=width)
        self.norms = nn.ModuleList(nn.LayerNorm(width, bias=False) for _ in range(2))
        self.expand = nn.Parameter(torch.empty(hidden, width))
        self.contract = nn.Parameter(torch.empty(width, hidden))

    def forward(self, x: Tensor, drop: Callable[[Tensor], Tensor]) -> Tensor:
        x = x + drop(self.mixer(self.norms[0](x)))
        return x + drop(F.linear(F.gelu(F.linear(self.norms[1](x), self.expand)), self.contract))


def dropout(x: Tensor, share: float, draw: Generator | None) -> Tensor:
    """Sets a share of the values to zero, drawn from a generator; without one, does nothing."""
    if draw is None or share == 0:
        return x
    return x * (torch.rand(x.shape, generator=draw) >= share) / (1 - share)


def next_word(kind: Kind, words: int, settings: Settings, seed: int) -> NextWord:
    """A model whose weights are drawn from the seed alone: normal, deviation 1 / sqrt(inputs).

    >>> next_word("recurrent", 100, Settings(), seed=0)(torch.zeros(2, 7, dtype=torch.long)).shape
    torch.Size([2, 7, 100])
    """
    model = NextWord(kind, words, settings)
    draw = torch.Generator().manual_seed(seed)
    for weight in model.parameters():
        if weight.ndim > 1:  # norms keep their ones
            nn.init.normal_(weight, std=weight[0].numel() ** -0.5, generator=draw)
    return model


@torch.no_grad()
def speak(
    model: NextWord, begin: Sequence[int], end: int, never: Sequence[int], draw: Generator
) -> list[int]:
    """A sentence, one word after the other, each drawn from the model's probabilities.

    Args:
        begin: numbers of the first words, <SOS> too.
        end: the number after which to stop. never: numbers that are not drawn.
    """
    found = list(begin)
    while len(found) < len(model.positions) and found[-1] != end:
        scores = model(torch.tensor([found]))[0, -1]
        scores[list(never)] = -torch.inf
        found.append(int(torch.multinomial(scores.softmax(0), 1, generator=draw)))
    return found
