"""What next-word models found, in words."""

from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import Any

from nextify.report.scaling.blocks import Block, Table, clock
from nextify.scaling.sequence.results import BASELINE, Found, Mean, StepTime
from nextify.scaling.sequence.settings import KINDS, macs_per_word

_HEAD = ("model", "parameters", "perplexity", "95 % interval", "n", "against", "95 % interval")
_STEPS = (
    "N", "MACs", *(f"{kind}, chain" for kind in KINDS), *(f"{kind}, ms" for kind in KINDS),
    "slower by",
)  # fmt: skip


def sequence_in_words(found: Found) -> Iterator[Block]:
    """Perplexities, times of a step and what the models say, for people."""
    first, settings, between = found.counts[0], found.settings, found.between()
    macs = macs_per_word("transformer", settings, first.words)
    yield f"""\
Text: {first.train:,} words to train on, {first.validation:,} to choose with,
{first.test:,} to test on, {first.unknown:.0%} of them <UNK> (seed 0; each seed draws
other sentences); a vocabulary of {first.words}. Both models take
{macs:,} MACs a word.
"""
    yield _perplexities(found)
    yield f"""
Transformer over recurrent, seed by seed: {between.value:.3f}, 95 % interval \
{between.low:.3f} to {between.high:.3f}, n = {between.n}.
Perplexity per word of test sentences, geometric mean over n seeds with its 95 % interval
(Student's, on logarithms); against: as a multiple of the {BASELINE}. All splits are of
the same six chapters: intervals are over splits and seeds, and say nothing of new text.
<UNK> is one word for all rare ones, which lowers every perplexity.

Training step (forward and backward), {clock(found.threads)}, {found.steps[0].batch} sequences \
of N tokens;
median over rounds, fastest to slowest. MACs: of the forward pass, the same for both;
chain: products of the step that wait for one another as it runs, layer by layer, forward
and backward.
"""
    yield _steps(found)
    yield ""
    yield from said_in_words((each.kind, each.said) for each in found.outcomes if each.seed == 0)


def _perplexities(found: Found) -> Table:
    parameters: dict[str, str] = {
        each.kind: f"{each.parameters:,}" for each in found.outcomes if each.seed == 0
    }
    pairs = zip(found.perplexities().items(), found.ratios().values(), strict=True)
    rows = [
        [name, parameters.get(name, ""), *_mean(own, 1), str(own.n), *_mean(ratio, 2)]
        for (name, own), ratio in pairs
    ]
    return Table(_HEAD, rows)


def _mean(found: Mean, digits: int) -> tuple[str, str]:
    value, low, high = (f"{each:.{digits}f}" for each in (found.value, found.low, found.high))
    return value, f"{low} to {high}"


def _steps(found: Found) -> Table:
    rows = []
    for tokens in dict.fromkeys(step.tokens for step in found.steps):
        own = {step.kind: step for step in found.steps if step.tokens == tokens}
        pair = [own[kind] for kind in KINDS]
        chains, times = [str(one.chain) for one in pair], [_milliseconds(one) for one in pair]
        slower = pair[1].seconds / pair[0].seconds
        rows.append([str(tokens), f"{pair[0].macs:,}", *chains, *times, f"{slower:.1f}"])
    return Table(_STEPS, rows)


def _milliseconds(step: StepTime) -> str:
    middle, least, most = (1e3 * each for each in (step.seconds, step.fastest, step.slowest))
    return f"{middle:.1f} ({least:.1f} to {most:.1f})"


def said_in_words(found: Iterable[tuple[str, Iterable[str]]]) -> Iterator[str]:
    """Sentences of models."""
    for kind, sentences in found:
        yield f"The {kind} model says:"
        yield from (f"  {sentence}" for sentence in sentences)


def unknown_in_words(unknown: dict[str, list[str]], count: int) -> Iterator[str]:
    """Words that models will not read as they are written; `count` are known.

    >>> list(unknown_in_words({"alise": ["alice"]}, 842))
    ["'alise' is none of the 842 words known; it is read as <UNK>; spelled alike: alice"]
    """
    for word, alike in unknown.items():
        near = f"; spelled alike: {', '.join(alike)}" if alike else ""
        yield f"{word!r} is none of the {count} words known; it is read as <UNK>{near}"


def sequence_values(found: Found) -> dict[str, Any]:
    """All numbers, for JSON."""
    return {
        "settings": asdict(found.settings),
        "threads": found.threads,
        "macs_per_word": macs_per_word("transformer", found.settings, found.counts[0].words),
        "perplexity": {name: asdict(each) for name, each in found.perplexities().items()},
        "against_kneser_ney": {name: asdict(each) for name, each in found.ratios().items()},
        "transformer_over_recurrent": asdict(found.between()),
        "splits": [asdict(each) for each in found.counts],
        "models": [asdict(each) for each in found.outcomes],
        "steps": [asdict(each) for each in found.steps],
    }
