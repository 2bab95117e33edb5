"""The answer of a choice, in sentences."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from nextify.designs import Design
from nextify.designs.fields import hints, written
from nextify.findings import Interval
from nextify.findings.choice import Choice, Finalist
from nextify.report.details import CHANGE, chance_words, lost, upper_first
from nextify.words import bytes_in_words, in_words, plural


def as_values(choice: Choice) -> dict[str, Any]:
    """The choice as plain values, ready for JSON, and its notes."""
    return {**asdict(choice), "notes": list(notes(choice))}


def notes(choice: Choice) -> Iterator[str]:
    """What limits the answer."""
    if nothing := sum(each.unlearned for each in choice.finalists):
        names = [each.name for each in choice.finalists if each.unlearned]
        yield (
            f"{plural(nothing, 'run')} of {', '.join(names)} learned nothing: they answer one "
            f"class only, or cannot be told apart from that ({chance_words(choice.chance)}); such "
            f"designs are not recommended; {CHANGE} may change that"
        )
    if choice.winner is None:
        yield _no_winner(choice)
        return
    if all(each.diverged or each.failed for each in choice.finalists):
        yield (
            "some run of every finalist diverged or failed: the means are over the runs that "
            "finished, and the recommended design may diverge again"
        )
    if choice.finalist(choice.winner).interval is None:
        yield "no intervals: these runs do not show the spread between seeds"
    if choice.apart:
        yield (
            f"the spread between seeds is clearly larger in {', '.join(choice.apart)} than in the "
            "others, so it is not pooled with theirs"
        )


def _no_winner(choice: Choice) -> str:
    """Why no design can be chosen, and what to change."""
    scored = [each for each in choice.finalists if each.finished]
    if not scored:
        return "no design can be chosen: no run of the finals has a score"
    if all(each.unlearned == each.finished for each in scored):
        why = "no run of the finals learned anything"
    else:
        why = "some run of every finalist diverged, and the best rests on these"
    return f"no design can be chosen: {why}; train them otherwise, with {CHANGE}"


def recommended(choice: Choice) -> str:
    """The design, how good it is and what it costs."""
    assert choice.winner is not None
    best = choice.finalist(choice.winner)
    mean = "?" if best.mean is None else f"{100 * best.mean:.2f} %"
    lines = [
        f"Recommended: {best.name} (made: {best.changed}), recipe {best.recipe}: accuracy {mean} "
        f"over {plural(best.finished, 'fresh seed')}"
    ]
    if best.interval is not None:
        lines[0] += f", 95 % interval {interval(best.interval)} % for new seeds"
        if best.wide is not None:
            lines[0] += f", {interval(best.wide)} % for new test images too"
    used = ", ".join(f"{100 * use:.1f} % of {name}" for name, use in best.use.items())
    lines += [
        f"Its cost: {best.params:,} params, {best.macs:,} MACs, "
        f"{bytes_in_words(best.activation_memory)} of activations in training an image ({used}).",
        f"As a design: {' '.join(as_fields(best.design))}",
    ]
    return "\n".join(lines)


def interval(of: Interval | None) -> str:
    """In percent, or points."""
    return "?" if of is None else f"{100 * of.low:.2f} to {100 * of.high:.2f}"


def as_fields(design: Design) -> list[str]:
    """A design as the command line takes it."""
    base = Design()
    return ["resnet50", *(
        f"{name}={written(getattr(design, name))}"
        for name in hints(Design)
        if getattr(design, name) != getattr(base, name)
    )]  # fmt: skip


def answer(choice: Choice) -> list[str]:
    """The recommendation and how sure it is, line by line; why there is none."""
    if choice.winner is None:
        return [f"{upper_first(_no_winner(choice))}."]
    return f"{recommended(choice)}\n{how_sure(choice)}".splitlines()


def how_sure(choice: Choice) -> str:
    """How far it may be behind others, and which cannot be told apart from it."""
    if choice.margin is None and choice.margin_all is None:
        return "How far it may be behind the others is not known."
    parts = []
    if choice.margin is not None:
        parts.append(
            f"With 95 % confidence it is at most {100 * choice.margin:.2f} points behind the best "
            "of these designs."
        )
    if choice.margin_all is not None:
        parts.append(
            "By the screening's model of all subsets of the choices (95 %, a prediction) it is at "
            f"most {100 * choice.margin_all:.2f} points behind the best of them."
        )
    text = " ".join(parts)
    if not choice.runners_up:
        return f"{text} All others can be told apart from it."
    cost = {"macs": "MACs", "params": "params"}[choice.cheapest_in]
    return (
        f"{text}\nNot to be told apart from it: {', '.join(choice.runners_up)}; of all these "
        f"{choice.cheapest} is the cheapest in {cost}."
    )


HEAD = ("design", "params", "MACs", "predicted", "accuracy", "interval", "to the best other",
        "runs", "standing", "made")  # fmt: skip


def row(each: Finalist) -> list[str]:
    """A finalist's row under `HEAD`."""
    predicted, mean = (
        "?" if value is None else f"{100 * value:.2f}" for value in (each.predicted, each.mean)
    )
    return [
        each.name,
        in_words(each.params),
        in_words(each.macs),
        predicted,
        mean,
        interval(each.interval),
        interval(each.behind),
        f"{each.finished}/{each.runs}",
        standing(each),
        each.changed,
    ]


def standing(each: Finalist) -> str:
    """How a finalist stands, with its runs without a score."""
    parts = lost(each.diverged, each.failed)
    if each.unlearned and each.standing != "learned nothing":
        parts.append(f"{each.unlearned} learned nothing")
    return f"{each.standing} ({', '.join(parts)})" if parts else each.standing
