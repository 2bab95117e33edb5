"""The answer of a choice, in sentences."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from nextify.designs import Design
from nextify.designs.fields import hints, written
from nextify.findings import Interval
from nextify.findings.choice import Choice, Finalist
from nextify.findings.confounded import Confounded
from nextify.findings.failures import wilson
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
    if choice.expected is None:
        yield (
            "with one seed the accuracy cannot be corrected for the luck of the design that came "
            "out best: expect less, and give --final-seeds 3 or more to know how much"
        )
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
    lines = [f"Recommended: {best.name} (made: {best.changed}), recipe {best.recipe}."]
    lines += [to_expect(choice)]
    used = ", ".join(f"{100 * use:.1f} % of {name}" for name, use in best.use.items())
    lines += [
        f"Its cost: {best.params:,} params, {best.macs:,} MACs, "
        f"{bytes_in_words(best.activation_memory)} of activations in training an image ({used}).",
        f"As a design: {' '.join(as_fields(best.design))}",
    ]
    return "\n".join(lines)


def to_expect(choice: Choice) -> str:
    """The accuracy to expect, beside what was measured."""
    assert choice.winner is not None
    best, found = choice.finalist(choice.winner), choice.expected
    mean = "?" if best.mean is None else f"{100 * best.mean:.2f} %"
    measured = f"{mean} over {plural(best.finished, 'fresh seed')}"
    if found is None:
        return f"Its accuracy: {measured}, as the best of {len(choice.finalists)} designs."
    sure = f" (95 % interval {interval(found.interval)} %)" if found.interval else ""
    what = "new seeds and new images of the same kind" if found.new_images else "new seeds"
    return (
        f"Accuracy to expect: {100 * found.value:.2f} %{sure}, for {what}; measured, as the best "
        f"of {len(choice.finalists)} designs: {measured}."
    )


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
    told = f"{recommended(choice)}\n{how_sure(choice)}".splitlines()
    return [*told, unseen(choice.confounded)] if choice.confounded else told


def tested(winner: Mapping[str, Any] | None) -> list[str]:
    """The network's accuracy on test images that had no part in choosing it; nothing where they
    had one."""
    if winner is None or winner.get("accuracy") is None:
        return []
    count = winner["tested"]
    sure = wilson(round(winner["accuracy"] * count), count)
    return [
        f"On {count:,} test images, which had no part in choosing it, the network is right about "
        f"{100 * winner['accuracy']:.2f} % (95 % interval {interval(sure)} %, for this network on "
        "new images of the same kind)."
    ]


SHOWN = "the recommended design"
NOT_SHOWN = (
    "The network is trained on all images, so that none is left on which its answers could be "
    "shown. With --keep-weights the finals’ networks are kept, and the answers of one that has "
    "this design are shown here."
)


def of_finals(seed: int) -> str:
    """What limits the answers of a network that the finals have trained."""
    return (
        f"this is the network of the recommended design that the finals trained with seed {seed}, "
        "not the one that was trained on all images in the end; the design was chosen by these "
        "test images, too, so that its accuracy is likely a little high"
    )


def unseen(of: Confounded) -> str:
    """What the screening could not tell apart."""
    sums, hidden, told = of.sums, of.hidden, []
    if sums:
        count = sum(map(len, sums))
        told.append(
            f"{plural(count, 'interaction')} of two choices only as {plural(len(sums), 'sum')}, "
            f"such as {_sum(sums[0])}"
        )
    if hidden:
        name, threes = hidden[0]
        told.append(
            "what three choices do only together is taken for one choice's own effect, as "
            f"{_product(threes[0])} for that of {name}"
        )
    return (
        f"What the screening, of resolution IV, could not see: {'; and '.join(told)}. The finals "
        "are measured and do not rest on that, which designs came into them does: "
        "--experiment resolution-5 tells these apart."
    )


def sums_of(choice: Choice) -> list[str]:
    """The interactions that show only as sums, a line each."""
    return [] if choice.confounded is None else [_sum(each) for each in choice.confounded.sums]


def _sum(pairs: Sequence[Sequence[str]]) -> str:
    return " with ".join(map(_product, pairs))


def _product(names: Sequence[str]) -> str:
    return " x ".join(names)


def how_sure(choice: Choice) -> str:
    """How far it may be behind others, and which cannot be told apart from it."""
    if choice.margin is None and choice.margin_all is None:
        return "How far it may be behind the others is not known."
    parts = []
    if choice.margin is not None:
        wide = choice.margin_wide
        more = "" if wide is None else f", and on new images of the same kind {100 * wide:.2f}"
        parts.append(
            f"With 95 % confidence it is at most {100 * choice.margin:.2f} points behind the best "
            f"of these designs, trained with new seeds{more}."
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
    where = "" if choice.margin_wide is None else " on new images"
    return (
        f"{text}\nNot to be told apart from it{where}: {', '.join(choice.runners_up)}; of all "
        f"these {choice.cheapest} is the cheapest in {cost}."
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
        interval(each.wide or each.interval),
        interval(each.behind_wide or each.behind),
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
