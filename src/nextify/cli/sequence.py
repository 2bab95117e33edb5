"""`nextify scale sequence`: a next-word model with attention and with recurrence."""

from argparse import Namespace
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from nextify.cli.folders import require_place
from nextify.cli.show import note, print_json, print_table, say
from nextify.errors import InputError
from nextify.scaling.sequence.results import BASELINE, Found, Mean, StepTime
from nextify.scaling.sequence.saved import load, save
from nextify.scaling.sequence.settings import KINDS, Kind, Settings, macs_per_word
from nextify.scaling.sequence.text import words
from nextify.scaling.sequence.vocabulary import Vocabulary

_SIZES = (16, 32, 64, 128, 256, 512)  # tokens of a timed step
_TIMED_BATCH = 4
_NOTED = 5  # epochs between two notes


def run(options: Namespace) -> int:
    """Carry out the command."""
    settings = Settings() if options.epochs is None else Settings(epochs=options.epochs)
    if options.say is not None:
        return _speak(options, settings)
    if options.figure:
        require_place(Path(options.figure), "--figure")
    found = _found(options, settings)
    if options.figure:
        _draw(found, Path(options.figure))
    if options.json:
        print_json(_values(found))
    else:
        _print(found)
    return 0


def _speak(options: Namespace, settings: Settings) -> int:
    """Train both models once and let them go on with the given words."""
    for name in ("save", "figure"):
        if getattr(options, name):
            raise InputError(f"--say does not go with --{name}; run the command once for each")
    begin = _beginning(options.say, settings)
    from nextify.scaling.measuring import prepare
    from nextify.scaling.sequence.experiment import spoken, task

    prepare(options.threads)
    _note_unknown(task(settings, seed=0).vocabulary, begin)
    found = {kind: spoken(kind, settings, begin, _progress) for kind in KINDS}
    if options.json:
        print_json(found)
    else:
        _print_said(found.items())
    return 0


def _note_unknown(known: Vocabulary, begin: Sequence[str]) -> None:
    """What the models will not read as it is written, before minutes of training."""
    for word, alike in known.unknown(begin).items():
        near = f"; spelled alike: {', '.join(alike)}" if alike else ""
        note(f"{word!r} is none of the {len(known)} words known; it is read as <UNK>{near}")


def _beginning(text: str, settings: Settings) -> list[str]:
    begin = words(text)
    if not 0 < len(begin) < settings.context:
        raise InputError(
            f"--say is {text!r}, {len(begin)} words; give 1 to {settings.context - 1}, "
            "as --say 'the queen'"
        )
    return begin


def _found(options: Namespace, settings: Settings) -> Found:
    path = Path(options.save) if options.save else None
    if path is not None:
        require_place(path.parent, "--save")
    outcomes = [] if path is None else list(load(path, settings))
    from nextify.scaling.measuring import prepare
    from nextify.scaling.sequence.experiment import count, run_all, task
    from nextify.scaling.sequence.speed import time_steps

    prepare(options.threads)
    seeds = range(options.seeds)
    counts = tuple(count(task(settings, seed)) for seed in seeds)
    wanted = []
    for outcome in run_all(settings, seeds, outcomes, _progress):
        wanted.append(outcome)
        if path is not None and outcome not in outcomes:
            outcomes.append(outcome)
            save(path, settings, outcomes)
    note(f"time per training step over {_SIZES[0]} to {_SIZES[-1]} tokens ...")
    steps = time_steps(settings, counts[0].words, _SIZES, _TIMED_BATCH, options.rounds)
    return Found(settings, counts, tuple(wanted), steps, options.threads)


def _progress(kind: Kind, seed: int, epoch: int, perplexity: float) -> None:
    if epoch % _NOTED == 0:
        note(f"{kind}, seed {seed}, epoch {epoch}: validation perplexity {perplexity:.1f}")


def _draw(found: Found, folder: Path) -> None:
    from nextify.report.page import write_drawings
    from nextify.report.scaling.sequence_figure import sequence_figure

    for path in write_drawings([sequence_figure(found)], folder):
        note(f"wrote {path}")


def _print(found: Found) -> None:
    first, settings = found.counts[0], found.settings
    say(f"Text: {first.train:,} words to train on, {first.validation:,} to choose with,")
    say(f"{first.test:,} to test on, {first.unknown:.0%} of them <UNK> (seed 0; each seed draws")
    say(f"other sentences); a vocabulary of {first.words}. Both models take")
    say(f"{macs_per_word('transformer', settings, first.words):,} MACs a word.\n")
    _print_perplexities(found)
    between = found.between()
    say(f"\nTransformer over recurrent, seed by seed: {_factor(between)}.")
    say("Perplexity per word of test sentences, geometric mean over n seeds with its 95 % interval")
    say(f"(Student's, on logarithms); against: as a multiple of the {BASELINE}. All splits are of")
    say("the same six chapters: intervals are over splits and seeds, and say nothing of new text.")
    say("<UNK> is one word for all rare ones, which lowers every perplexity.\n")
    _print_steps(found)
    say("")
    _print_said((each.kind, each.said) for each in found.outcomes if each.seed == 0)


def _print_perplexities(found: Found) -> None:
    head = ["model", "parameters", "perplexity", "95 % interval", "n", "against", "95 % interval"]
    ratios = found.ratios()
    parameters: dict[str, str] = {
        each.kind: f"{each.parameters:,}" for each in found.outcomes if each.seed == 0
    }
    rows = [
        [
            name,
            parameters.get(name, ""),
            f"{own.value:.1f}",
            f"{own.low:.1f} to {own.high:.1f}",
            str(own.n),
            f"{ratios[name].value:.2f}",
            f"{ratios[name].low:.2f} to {ratios[name].high:.2f}",
        ]
        for name, own in found.perplexities().items()
    ]
    print_table(head, rows)


def _factor(ratio: Mean) -> str:
    return f"{ratio.value:.3f}, 95 % interval {ratio.low:.3f} to {ratio.high:.3f}, n = {ratio.n}"


def _print_steps(found: Found) -> None:
    clock = "processor time, 1 thread" if found.threads == 1 else f"{found.threads} threads"
    say(f"Training step (forward and backward), {clock}, {_TIMED_BATCH} sequences of N tokens;")
    say("median over rounds, fastest to slowest. MACs: of the forward pass, the same for both;")
    say("chain: products of the step that wait for one another as it runs, layer by layer, forward")
    say("and backward.\n")
    by_key = {(step.kind, step.tokens): step for step in found.steps}
    rows = []
    for tokens in dict.fromkeys(step.tokens for step in found.steps):
        pair = [by_key[kind, tokens] for kind in KINDS]
        slower = pair[1].seconds / pair[0].seconds
        chains, times = [str(one.chain) for one in pair], [_milliseconds(one) for one in pair]
        rows.append([str(tokens), f"{pair[0].macs:,}", *chains, *times, f"{slower:.1f}"])
    times_of = [f"{kind}, ms" for kind in KINDS]
    chains_of = [f"{kind}, chain" for kind in KINDS]
    print_table(["N", "MACs", *chains_of, *times_of, "slower by"], rows)


def _milliseconds(step: StepTime) -> str:
    middle, least, most = (1e3 * each for each in (step.seconds, step.fastest, step.slowest))
    return f"{middle:.1f} ({least:.1f} to {most:.1f})"


def _print_said(found: Iterable[tuple[str, Iterable[str]]]) -> None:
    for kind, sentences in found:
        say(f"The {kind} model says:")
        for sentence in sentences:
            say(f"  {sentence}")


def _values(found: Found) -> dict[str, Any]:
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
