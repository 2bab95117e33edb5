"""What diverged runs, and runs that learned nothing, do to verdicts on factors, in sentences."""

from collections.abc import Iterator, Sequence

from nextify.findings import Attribution, Contribution
from nextify.findings.answers import Reading
from nextify.findings.attribute import CLEARLY
from nextify.findings.failures import Failure, Setting
from nextify.findings.outcomes import DIVERGED, RESTS
from nextify.report.details import CHANGE, chance_words
from nextify.words import listed

READINGS: dict[Reading, str] = {
    "diverged at chance": "diverged runs at chance",
    "finished runs": "finished runs only",
    "diverged last": "by ranks, diverged runs last",
    "learned something": "runs that learned something only",
}
_MOST = 3  # settings that are named


def no_verdict(found: Attribution, of: Contribution) -> str:
    """Why a factor has no verdict: what each reading of the runs says."""
    at = found.contributions.index(of)
    told = (f"{READINGS[each.reading]}: {each.contributions[at].answer}" for each in found.readings)
    return f"no verdict: it {of.answer} ({'; '.join(told)})"


def undecided(found: Attribution) -> list[str]:
    """Names of the factors without a verdict, by what that rests on, in sentences."""
    told = []
    for reason in RESTS:
        if names := [each.name for each in found.contributions if each.answer == reason]:
            told.append(f"No verdict on {listed(names)}: it {reason}.")
    return told


def unlearned(found: Attribution) -> int:
    """How many runs learned nothing."""
    return sum(side[0] for each in found.unlearned[:1] for side in (each.made, each.not_made))


def at_chance(found: Attribution) -> bool:
    """Whether a run that diverged scores what chance does."""
    return any(each.reading == "diverged at chance" for each in found.readings)


def scored(found: Attribution) -> int:
    """How many runs the numbers are of."""
    return found.counts.finished + found.counts.diverged * at_chance(found)


def notes(found: Attribution) -> Iterator[str]:
    """What became of these runs, and how they are read."""
    counts = found.counts
    if counts.diverged and counts.finished:
        what = f"{counts.diverged} of {counts.planned} runs diverged{where(found.failures)}"
        if at_chance(found):
            yield (
                f"{what}: each scores what chance does ({chance_words(found.chance)}). Beside it "
                "stand contributions over the finished runs only; where the two disagree there is "
                "no verdict"
            )
        elif any(each.reading == "diverged last" for each in found.readings):
            yield (
                f"{what}: contributions are over the finished runs; where ranks, in which the "
                "diverged runs are last, disagree, there is no verdict"
            )
    if nothing := unlearned(found):
        yield (
            f"{nothing} of {counts.finished} finished runs learned nothing"
            f"{where(found.unlearned)}: they answer one class only, or cannot be told apart from "
            f"guesses ({chance_words(found.chance)}). A verdict that does not hold without them is "
            f"none; change how they are trained: {CHANGE}"
        )


def where(settings: Sequence[Setting] | Sequence[Failure]) -> str:
    """With which settings of factors runs diverge or learn nothing more often, the clearest first;
    empty where that is not clear (Fisher's exact test, p < 0.05)."""
    clear = sorted(
        (_as_setting(each) for each in settings if each.p is not None and each.p < CLEARLY),
        key=lambda each: each.p or 0.0,
    )
    parts = [_more_often(each) for each in clear[:_MOST]]
    return f", {listed(parts)}" if parts else ""


def _as_setting(of: Setting | Failure) -> Setting:
    if isinstance(of, Setting):
        return of
    made, left = ((side.diverged, side.n) for side in (of.made, of.not_made))
    return Setting(of.name, made, left, of.p)


def _more_often(of: Setting) -> str:
    (made, of_made), (left, of_left) = of.made, of.not_made
    if made * of_left >= left * of_made:
        return f"{made} of the {of_made} with {of.name}"
    return f"{left} of the {of_left} without {of.name}"


def rests(of: Contribution) -> bool:
    """Whether a factor has no verdict because it would rest on such runs."""
    return of.answer in RESTS


def lower_rate_for(found: Attribution) -> str:
    """Why runs are to be trained otherwise first; empty where no verdict waits for it."""
    reasons = {each.answer for each in found.contributions if rests(each)}
    if not reasons:
        return ""
    what = " and ".join(
        "diverged" if reason == DIVERGED else "learned nothing"
        for reason in RESTS
        if reason in reasons
    )
    return (
        f"Verdicts rest on runs that {what}: train all runs otherwise first, with {CHANGE}; here "
        "with a third of the learning rate."
    )
