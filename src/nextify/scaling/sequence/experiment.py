"""Both models on several splits of the text: trained, compared with counting, and let speak."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import torch

from nextify.scaling.sequence import ngrams
from nextify.scaling.sequence.model import NextWord, speak
from nextify.scaling.sequence.results import Counts, Outcome
from nextify.scaling.sequence.settings import KINDS, Kind, Settings
from nextify.scaling.sequence.text import parts_of, read_text, sentences
from nextify.scaling.sequence.training import perplexity, train
from nextify.scaling.sequence.vocabulary import EOS, SOS, UNK, Vocabulary, vocabulary

Numbers = tuple[int, ...]
Progress = Callable[[Kind, int, int, float], None]  # model, seed, epoch, perplexity

_SENTENCES = 3  # that a model says


@dataclass(frozen=True, slots=True)
class Task:
    """The text as one seed splits it, in numbers."""

    seed: int
    vocabulary: Vocabulary
    train: tuple[Numbers, ...]
    validation: tuple[Numbers, ...]
    test: tuple[Numbers, ...]


def task(settings: Settings, seed: int) -> Task:
    """The text that comes with nextify; its vocabulary is that of the training sentences.

    >>> task(Settings(), seed=0).vocabulary.words[3:7]
    (',', 'the', 'and', 'to')
    """
    parts = parts_of(sentences(read_text(), settings.context - 1), seed)
    known = vocabulary(parts.train)
    sides = (parts.train, parts.validation, parts.test)
    return Task(seed, known, *(tuple(known.numbers(s) for s in side) for side in sides))


def count(given: Task) -> Counts:
    """The models that count, on the task's test sentences."""
    words = len(given.vocabulary)
    pairs = ngrams.pair_counts(given.train, words)
    tables = (
        ngrams.unigram(pairs),
        ngrams.best_additive(pairs, given.validation),
        ngrams.best_kneser_ney(pairs, given.validation),
    )
    train_words, validation_words, test_words = (
        sum(len(sentence) - 1 for sentence in side)
        for side in (given.train, given.validation, given.test)
    )
    unknown = given.vocabulary.number[UNK]
    return Counts(
        seed=given.seed,
        words=words,
        train=train_words,
        validation=validation_words,
        test=test_words,
        unknown=sum(sentence.count(unknown) for sentence in given.test) / test_words,
        perplexities=tuple(ngrams.perplexity(table, given.test) for table in tables),
    )


def run(kind: Kind, settings: Settings, seed: int, progress: Progress) -> Outcome:
    """Train one model and test it."""
    given = task(settings, seed)
    curve: list[float] = []

    def report(epoch: int, found: float) -> None:
        curve.append(found)
        progress(kind, seed, epoch, found)

    words = len(given.vocabulary)
    model = train(kind, words, given.train, given.validation, settings, seed, report)
    return Outcome(
        kind=kind,
        seed=seed,
        perplexity=perplexity(model, given.test),
        parameters=sum(weight.numel() for weight in model.parameters()),
        best_epoch=1 + curve.index(min(curve)),
        curve=tuple(curve),
        said=tuple(said(model, given.vocabulary, (), seed)),
    )


def spoken(
    kind: Kind, settings: Settings, begin: Sequence[str], progress: Progress, seed: int = 0
) -> list[str]:
    """Train one model and let it go on with given words; it reads unknown ones as <UNK>."""
    given = task(settings, seed)
    words = len(given.vocabulary)
    report = partial(progress, kind, seed)
    model = train(kind, words, given.train, given.validation, settings, seed, report)
    return list(said(model, given.vocabulary, begin, seed))


def run_all(
    settings: Settings, seeds: Sequence[int], known: Sequence[Outcome], progress: Progress
) -> Iterator[Outcome]:
    """Both models for each seed, as they end; those that are known are passed on untrained."""
    found = {(outcome.kind, outcome.seed): outcome for outcome in known}
    for seed in seeds:
        for kind in KINDS:
            yield found.get((kind, seed)) or run(kind, settings, seed, progress)


def said(model: NextWord, known: Vocabulary, begin: Sequence[str], seed: int) -> Iterator[str]:
    """Sentences drawn from a model, which begin with given words (unknown ones read as <UNK>)."""
    first = known.numbers(begin)[:-1]
    draw = torch.Generator().manual_seed(seed)
    never = [known.number[SOS], known.number[UNK]]
    for _ in range(_SENTENCES):
        numbers = speak(model, first, known.number[EOS], never, draw)
        added = (known.words[number] for number in numbers[len(first) :])
        yield " ".join((*begin, *(word for word in added if word != EOS)))
