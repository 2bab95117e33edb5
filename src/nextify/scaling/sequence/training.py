"""Teacher forcing: every position is given the right words so far and asked for the next."""

import copy
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Generator, Tensor
from torch.nn.utils.rnn import pad_sequence

from nextify.scaling.sequence.model import NextWord, next_word
from nextify.scaling.sequence.settings import Kind, Settings
from nextify.scaling.sequence.vocabulary import Vocabulary, shifted
from nextify.training.optimizer import clip_gradient

T = TypeVar("T")
Numbers = Sequence[int]
Report = Callable[[int, float], None]  # epoch, perplexity on validation sentences

_NOTHING = -100  # a desired output that is not asked: what fills up shorter sentences
_LONGEST_STEP = 1.0  # norm of all gradients, at the most


@dataclass(frozen=True, slots=True)
class Task:
    """A text as one seed splits it, in numbers: sentences to train on, to choose the best epoch
    with and to test on."""

    seed: int
    vocabulary: Vocabulary
    train: Sequence[Numbers]
    validation: Sequence[Numbers]
    test: Sequence[Numbers]


def train(
    kind: Kind, given: Task, settings: Settings, report: Report = lambda epoch, found: None
) -> NextWord:
    """Train a model; its weights are those of the epoch that was best on validation sentences.

    Weights, order and dropout are drawn from the seed; torch's global state is not used. All
    weights decay, and torch's own recursive cosine sets the rate: a network's optimiser and
    schedule would give other bits than the results that are kept.
    """
    model = next_word(kind, len(given.vocabulary.words), settings, given.seed)
    _start_from_frequencies(model, given.train)
    draw = torch.Generator().manual_seed(given.seed)
    optimizer = torch.optim.AdamW(model.parameters(), settings.rate, weight_decay=settings.decay)
    steps = settings.epochs * math.ceil(len(given.train) / settings.batch)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    best, weights = math.inf, model.state_dict()
    for epoch in range(1, settings.epochs + 1):
        for inputs, desired in batches(given.train, settings.batch, draw):
            optimizer.zero_grad()
            torch.autograd.backward(loss(model(inputs, draw), desired))
            clip_gradient(model.parameters(), _LONGEST_STEP)
            optimizer.step()
            schedule.step()
        found = perplexity(model, given.validation)
        report(epoch, found)
        if found < best:
            best, weights = found, copy.deepcopy(model.state_dict())
    model.load_state_dict(weights)
    return model


@torch.no_grad()
def _start_from_frequencies(model: NextWord, sentences: Sequence[Numbers]) -> None:
    """Begin as the unigram model: how frequent words are need not be learned step by step."""
    asked = torch.tensor([word for sentence in sentences for word in shifted(sentence)[1]])
    model.frequency.copy_((1 + asked.bincount(minlength=len(model.frequency))).log())


def batches(
    sentences: Sequence[Numbers], size: int, draw: Generator | None = None
) -> Iterator[tuple[Tensor, Tensor]]:
    """Inputs and desired outputs: (B, N) each, N of the longest sentence of the batch.

    Sentences of about one length come together (less to fill up), the batches in random order.
    What is filled up stands after the sentence's end: the models never look there.
    """
    # Sorting is stable: equal lengths stay shuffled.
    order = sorted(_shuffled(sentences, draw), key=len)
    groups = [order[at : at + size] for at in range(0, len(order), size)]
    yield from map(_filled_up, _shuffled(groups, draw))


def _shuffled(given: Sequence[T], draw: Generator | None) -> list[T]:
    places = range(len(given)) if draw is None else torch.randperm(len(given), generator=draw)
    return [given[at] for at in places]


def _filled_up(sentences: Sequence[Numbers]) -> tuple[Tensor, Tensor]:
    given, asked = zip(*map(shifted, sentences), strict=True)
    inputs = pad_sequence([torch.tensor(words) for words in given], batch_first=True)
    desired = [torch.tensor(words) for words in asked]
    return inputs, pad_sequence(desired, batch_first=True, padding_value=_NOTHING)


def loss(scores: Tensor, desired: Tensor, reduction: str = "mean") -> Tensor:
    """Cross-entropy over the positions that are asked: (B, N, words) and (B, N) to a number."""
    return F.cross_entropy(
        scores.flatten(0, 1), desired.flatten(), ignore_index=_NOTHING, reduction=reduction
    )


@torch.no_grad()
def perplexity(model: NextWord, sentences: Sequence[Numbers], size: int = 64) -> float:
    """exp of the mean of -log P over all words that are asked, <EOS> and <UNK> included."""
    lost, asked = 0.0, 0
    for inputs, desired in batches(sentences, size):
        lost += float(loss(model(inputs), desired, "sum"))
        asked += int((desired != _NOTHING).sum())
    return math.exp(lost / asked)
