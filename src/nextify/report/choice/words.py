"""The answer of a choice, in sentences."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from nextify.designs import AnyDesign, Design, Swin, Vit
from nextify.designs.fields import hints, written
from nextify.findings import Interval
from nextify.findings.choice import Choice, Finalist
from nextify.findings.confounded import Confounded
from nextify.findings.failures import wilson
from nextify.findings.race import Racer
from nextify.report.details import CHANGE, chance_words, lost, upper_first
from nextify.words import (
    MISSING,
    bytes_in_words,
    in_words,
    percent,
    plural,
    seconds_in_words,
)


def as_values(choice: Choice) -> dict[str, Any]:
    """The choice as plain values, ready for JSON, and its notes."""
    values = {**asdict(choice), "notes": list(notes(choice))}
    if not choice.race:  # as in choices from before there were any
        del values["race"]
    if not any(each.latency for each in choice.finalists):
        for each in values["finalists"]:
            del each["latency"]
    return values


def notes(choice: Choice) -> Iterator[str]:
    """What limits the answer."""
    yield from _learned_nothing(choice)
    if choice.winner is None:
        yield _no_winner(choice)
        return
    if all(each.diverged or each.failed for each in choice.finalists):
        yield (
            "some run of every finalist diverged or failed: the means are over the runs that "
            "finished, and the recommended design may diverge again"
        )
    elif left := [each for each in unjudged(choice) if each.standing != "learned nothing"]:
        told = ", ".join(f"{each.name} ({_over(each)}: {standing(each)})" for each in left)
        yield (
            f"not judged: {told}; such a design is not recommended, however high the mean of its "
            "other runs (--retry-failed runs again what failed)"
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
    for each in choice.race:
        if each.at_the_edge:
            end = "lowest" if each.rate == min(each.rates) else "highest"
            yield (
                f"the learning rate of {each.name} is the {end} that was tried, {each.rate:g} "
                "times its recipe's: another may be better"
            )


def _learned_nothing(choice: Choice) -> Iterator[str]:
    if nothing := sum(each.unlearned for each in choice.finalists):
        names = [each.name for each in choice.finalists if each.unlearned]
        yield (
            f"{plural(nothing, 'run')} of {', '.join(names)} learned nothing: they answer one "
            f"class only, or cannot be told apart from guesses ({chance_words(choice.chance)}); "
            f"such designs are not recommended; {CHANGE} may change that"
        )


def unjudged(choice: Choice) -> list[Finalist]:
    """Finalists that were not in the running."""
    judged = ("chosen", "cannot be told apart", "worse")
    return [each for each in choice.finalists if each.standing not in judged]


def _over(of: Finalist) -> str:
    if of.mean is None:
        return "no score"
    return f"{percent(100 * of.mean)} % over {of.finished} of {plural(of.runs, 'run')}"


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
    what = f"made: {best.changed}" if not choice.race else start(racer(choice, best.name))
    rate = f" at {_rate(racer(choice, best.name))}" if choice.race else ""
    lines = [f"Recommended: {best.name} ({what}), recipe {best.recipe}{rate}."]
    lines += [to_expect(choice)]
    used = ", ".join(f"{100 * use:.1f} % of {name}" for name, use in best.use.items())
    lines += [
        f"Its cost: {best.params:,} params, {best.macs:,} MACs, "
        f"{bytes_in_words(best.activation_memory)} of activations in training an image"
        f"{f' ({used})' * bool(used)}{_latency(best)}.",
    ]
    if not choice.race:
        lines.append(f"As a design: {' '.join(as_fields(best.design))}")
    return "\n".join(lines)


def _latency(of: Finalist) -> str:
    if of.latency is None:
        return ""
    took, low, high = map(seconds_in_words, (of.latency.median, of.latency.low, of.latency.high))
    return (
        f"; {took} for an image on one thread (half of {of.latency.count} rounds {low} to {high})"
    )


def racer(choice: Choice, name: str) -> Racer:
    """The candidate of a name."""
    return next(each for each in choice.race if each.name == name)


def start(of: Racer) -> str:
    """What a candidate starts from."""
    return "from scratch" if of.initial is None else f"from the weights {of.initial.source}"


def _rate(of: Racer) -> str:
    return "its learning rate" if of.rate == 1 else f"{of.rate:g} times its learning rate"


def raced(choice: Choice) -> list[str]:
    """Who is not in the finals, and why; nothing without a race."""
    gone = [each for each in choice.race if each.left is not None]
    rest = [each.name for each in choice.race if each.left is None and not each.in_finals]
    told = []
    if gone:
        which = "; ".join(f"{each.name} after {each.left:,} images" for each in gone)
        told.append(f"Left the race, behind beyond doubt or with a run that was lost: {which}.")
    if rest:
        told.append(
            f"Not in the finals, for which others came before, though the race does not tell them "
            f"from the best: {', '.join(rest)}."
        )
    return told


def ahead(choice: Choice) -> str:
    """The gap to the runner-up."""
    best = choice.finalist(str(choice.winner))
    others = [each for each in choice.finalists if each is not best and each.behind is not None]
    between = best.behind_wide or best.behind
    if best.mean is None or between is None or not others:
        return ""
    second = max(others, key=lambda each: float(each.mean or 0.0))
    gap = 100 * (best.mean - float(second.mean or 0.0))
    where = "new seeds and new images" if best.behind_wide else "new seeds"
    return (
        f"It is {gap:.2f} points ahead of {second.name}, the next (95 % interval, for all "
        f"finalists together: {interval(between)} points, for {where})."
    )


def to_expect(choice: Choice) -> str:
    """The accuracy to expect, beside what was measured."""
    assert choice.winner is not None
    best, found = choice.finalist(choice.winner), choice.expected
    mean = "?" if best.mean is None else f"{100 * best.mean:.2f} %"
    measured = f"{mean} over {plural(best.finished, 'fresh seed')}"
    what = "finalists" if choice.race else "designs"
    if found is None:
        return f"Its accuracy: {measured}, as the best of {len(choice.finalists)} {what}."
    sure = f" (95 % interval {interval(found.interval)} %)" if found.interval else ""
    holds = "new seeds and new images of the same kind" if found.new_images else "new seeds"
    return (
        f"Accuracy to expect: {100 * found.value:.2f} %{sure}, for {holds}; measured, as the best "
        f"of {len(choice.finalists)} {what}: {measured}."
    )


def interval(of: Interval | None) -> str:
    """In percent, or points."""
    return "?" if of is None else f"{100 * of.low:.2f} to {100 * of.high:.2f}"


def as_fields(design: AnyDesign) -> list[str]:
    """A design as the command line takes it."""
    base = type(design)()
    return [_BASES[type(design)], *(
        f"{name}={written(getattr(design, name))}"
        for name in hints(type(design))
        if getattr(design, name) != getattr(base, name)
    )]  # fmt: skip


_BASES: dict[type, str] = {Design: "resnet50", Vit: "vit-b-16", Swin: "swin-t"}  # all at defaults


def answer(choice: Choice) -> list[str]:
    """The recommendation and how sure it is, line by line; why there is none."""
    if choice.winner is None:
        return [f"{upper_first(_no_winner(choice))}."]
    gap = ahead(choice) if choice.race else ""
    parts = filter(None, (recommended(choice), gap, how_sure(choice)))
    told = [*"\n".join(parts).splitlines(), *raced(choice)]
    if choice.confounded:
        told.append(unseen(choice.confounded))
    return [*told, *filter(None, [shortened(choice)])]


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


def shortened(choice: Choice) -> str:
    """That the screening's runs were short; empty where they were not."""
    if choice.shorten == 1:
        return ""
    return (
        f"The screening trained for 1/{choice.shorten} of the epochs: it predicts which designs "
        "are good, not what the finals reach, and a choice that pays late may have been missed; "
        "with more time (--within), or --shorten 1, it trains for all."
    )


def how_sure(choice: Choice) -> str:
    """How far it may be behind others, and which cannot be told apart from it."""
    if choice.margin is None and choice.margin_all is None:
        return "How far it may be behind the others is not known."
    parts, left = [], unjudged(choice)
    if choice.margin is not None:
        wide = choice.margin_wide
        more = "" if wide is None else f", and on new images of the same kind {100 * wide:.2f}"
        parts.append(
            f"With 95 % confidence it is at most {100 * choice.margin:.2f} points behind the best "
            f"of these designs{' that were judged' if left else ''}, trained with new seeds{more}."
        )
    if choice.margin_all is not None:
        parts.append(
            "By the screening's model of all subsets of the choices (95 %, a prediction) it is at "
            f"most {100 * choice.margin_all:.2f} points behind the best of them."
        )
    text = " ".join(parts)
    if not choice.runners_up:
        if len(left) == len(choice.finalists) - 1:
            return text
        others = "All others that were judged" if left else "All others"
        return f"{text} {others} can be told apart from it."
    cost = {"macs": "MACs", "params": "params", "latency": "latency"}[choice.cheapest_in]
    where = "" if choice.margin_wide is None else " on new images"
    is_winner = choice.cheapest == choice.winner
    none = f"none is cheaper in {cost}"
    told = none if is_winner else f"of all these {choice.cheapest} is the cheapest in {cost}"
    return f"{text}\nNot to be told apart from it{where}: {', '.join(choice.runners_up)}; {told}."


HEAD = ("design", "params", "MACs", "predicted", "accuracy", "interval", "to the best other",
        "runs", "standing", "made")  # fmt: skip
RACED = ("candidate", "params", "MACs", "latency", "accuracy", "interval", "to the best other",
         "runs", "rate", "standing")  # fmt: skip
TEXTS = ("standing", "made")  # the other columns are numbers


def head(choice: Choice) -> tuple[str, ...]:
    """The columns of the finalists' table."""
    return RACED if choice.race else HEAD


def row(choice: Choice, each: Finalist) -> list[str]:
    """A finalist's row under `head`."""
    predicted, mean = (
        "?" if value is None else f"{100 * value:.2f}" for value in (each.predicted, each.mean)
    )
    costs = [each.name, in_words(each.params), in_words(each.macs)]
    found = [
        mean,
        interval(each.wide or each.interval),
        interval(each.behind_wide or each.behind),
        f"{each.finished}/{each.runs}",
    ]
    if not choice.race:
        return [*costs, predicted, *found, standing(each), each.changed]
    latency = seconds_in_words(each.latency.median) if each.latency else MISSING
    return [*costs, latency, *found, f"{racer(choice, each.name).rate:g}", standing(each)]


CANDIDATES = ("candidate", "start", "latency", "rates", "raced at", "laps", "left")


def candidate_row(of: Racer) -> list[str]:
    """A candidate's row under `CANDIDATES`."""

    def scored(values: Mapping[Any, float | None]) -> str:
        each = (f"{at:,g}: {percent(v if v is None else 100 * v)}" for at, v in values.items())
        return ", ".join(each)

    gone = f"after {of.left:,} images" if of.left else "no"
    latency = seconds_in_words(of.latency.median) if of.latency else MISSING
    where = gone if of.left or of.in_finals else "no, but others came before"
    return [of.name, start(of), latency, scored(of.rates), f"{of.rate:g}", scored(of.laps), where]


def standing(each: Finalist) -> str:
    """How a finalist stands, with its runs without a score."""
    parts = lost(each.diverged, each.failed)
    if each.unlearned and each.standing != "learned nothing":
        parts.append(f"{each.unlearned} learned nothing")
    return f"{each.standing} ({', '.join(parts)})" if parts else each.standing
