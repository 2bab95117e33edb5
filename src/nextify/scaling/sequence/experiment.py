"""Both models on several splits of the text: trained, compared with counting, and let speak."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import product
from pathlib import Path

import torch

from nextify.errors import InputError
from nextify.scaling.measuring.timing import prepared
from nextify.scaling.saving import keeping
from nextify.scaling.sequence import ngrams, speed
from nextify.scaling.sequence.model import NextWord, speak
from nextify.scaling.sequence.results import Counts, Found, Outcome, kept
from nextify.scaling.sequence.settings import KINDS, Kind, Settings
from nextify.scaling.sequence.text import parts_of, read_text, sentences, words
from nextify.scaling.sequence.training import Task, perplexity, train
from nextify.scaling.sequence.vocabulary import EOS, SOS, UNK, Vocabulary, vocabulary

Progress = Callable[[Kind, int, int, float], None]  # model, seed, epoch, perplexity

SIZES = (16, 32, 64, 128, 256, 512)  # tokens of a timed step
_TIMED_BATCH = 4  # sequences
_SENTENCES = 3  # that a model says


def measure_sequence(
    settings: Settings,
    *,
    seeds: int = 5,
    rounds: int = 5,
    threads: int = 1,
    save: Path | None = None,
    progress: Progress = lambda kind, seed, epoch, found: None,
    on_timing: Callable[[], None] = lambda: None,
) -> Found:
    """Both models and those that count on several splits of the text, and the time of a step.

    Args:
        seeds: splits. rounds: of timing. threads: of torch.
        save: a file to keep trained models' outcomes in; those in it are not trained.
        on_timing: called before steps are timed.

    Raises:
        InputError: a file of other settings or another text.
    """
    with prepared(threads), keeping(save):
        outcomes = kept(save, settings)
        counts = tuple(count(task(settings, seed)) for seed in range(seeds))
        known = {(one.seed, one.kind): one for one in outcomes.results}
        wanted = list(product(range(seeds), KINDS))
        for seed, kind in wanted:
            if (seed, kind) not in known:
                known[seed, kind] = run(kind, settings, seed, progress)
                outcomes.add(known[seed, kind])
        on_timing()
        steps = speed.time_steps(settings, counts[0].words, SIZES, _TIMED_BATCH, rounds)
    return Found(settings, counts, tuple(known[each] for each in wanted), steps, threads)


def task(settings: Settings, seed: int) -> Task:
    """The text that comes with nextify; its vocabulary is that of the training sentences.

    >>> task(Settings(), seed=0).vocabulary.words[3:7]
    (',', 'the', 'and', 'to')
    """
    parts = parts_of(sentences(read_text(), settings.context - 1), seed)
    known = vocabulary(parts["train"])
    numbers = {name: tuple(map(known.numbers, side)) for name, side in parts.items()}
    return Task(seed, known, **numbers)


def count(given: Task) -> Counts:
    """The models that count, on the task's test sentences."""
    size = len(given.vocabulary.words)
    pairs = ngrams.pair_counts(given.train, size)
    tables = (
        ngrams.unigram(pairs),
        ngrams.best(ngrams.additive, ngrams.ADDED, pairs, given.validation),
        ngrams.best(ngrams.kneser_ney, ngrams.DISCOUNTS, pairs, given.validation),
    )
    sides = {"train": given.train, "validation": given.validation, "test": given.test}
    asked = {name: sum(len(one) - 1 for one in side) for name, side in sides.items()}
    unknown = given.vocabulary.number[UNK]
    return Counts(
        seed=given.seed,
        words=size,
        **asked,
        unknown=sum(sentence.count(unknown) for sentence in given.test) / asked["test"],
        perplexities=tuple(ngrams.perplexity(table, given.test) for table in tables),
    )


def run(kind: Kind, settings: Settings, seed: int, progress: Progress) -> Outcome:
    """Train one model and test it."""
    given = task(settings, seed)
    curve: list[float] = []

    def report(epoch: int, found: float) -> None:
        curve.append(found)
        progress(kind, seed, epoch, found)

    model = train(kind, given, settings, report)
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
    settings: Settings,
    text: str,
    *,
    threads: int = 1,
    progress: Progress = lambda kind, seed, epoch, found: None,
    on_unknown: Callable[[dict[str, list[str]], int], None] = lambda unknown, count: None,
) -> dict[Kind, list[str]]:
    """Train both models once and let them go on with given words.

    Args:
        threads: of torch.
        on_unknown: called before training with the words that are read as <UNK>, those that are
            spelled alike, and how many are known.

    Raises:
        InputError: no words, or more than the models have positions for.
    """
    begin = words(text)
    if not 0 < len(begin) < settings.context:
        raise InputError(
            f"--say is {text!r}, {len(begin)} words; give 1 to {settings.context - 1}, "
            "as --say 'the queen'"
        )
    with prepared(threads):
        given = task(settings, seed=0)
        on_unknown(given.vocabulary.unknown(begin), len(given.vocabulary.words))
        found = {}
        for kind in KINDS:
            model = train(kind, given, settings, partial(progress, kind, given.seed))
            found[kind] = list(said(model, given.vocabulary, begin, given.seed))
    return found


def said(model: NextWord, known: Vocabulary, begin: Sequence[str], seed: int) -> Iterator[str]:
    """Sentences drawn from a model, which begin with given words (unknown ones read as <UNK>)."""
    first = known.numbers(begin)[:-1]
    draw = torch.Generator().manual_seed(seed)
    never = [known.number[SOS], known.number[UNK]]
    for _ in range(_SENTENCES):
        numbers = speak(model, first, known.number[EOS], never, draw)
        added = (known.words[number] for number in numbers[len(first) :])
        yield " ".join((*begin, *(word for word in added if word != EOS)))
