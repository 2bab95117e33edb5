"""An attribution judged by all readings of its runs: what becomes of a verdict that rests on runs
that diverged or learned nothing."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import numpy as np

from nextify.findings.answers import Attribution, ByReading, Contribution, Interaction, Reading
from nextify.findings.factor_runs import FactorRuns
from nextify.findings.failures import settings
from nextify.findings.outcomes import DIVERGED, UNLEARNED, Rests, with_diverged
from nextify.findings.scores import ProbeScore

_Read = tuple[Rests, Attribution]


def judged(runs: FactorRuns, attributed: Callable[[FactorRuns], Attribution]) -> Attribution:
    """What all runs say, with no verdict where other readings of them do not agree.

    Args:
        attributed: what one reading says.
    """
    read = [(reading, attributed(each)) for reading, each in readings(runs)]
    found = read[0][1]
    against = [(_REASONS[reading], each) for reading, each in read[1:]]
    lost = [DIVERGED] if "diverged" in runs.became else []
    return replace(
        found,
        chance=runs.chance,
        contributions=settled([(reading, each.contributions) for reading, each in read]),
        interactions=tuple(_confirmed(each, against) for each in found.interactions),
        readings=tuple(
            ByReading(reading, each.counts.cells, each.contributions) for reading, each in read
        )
        * (len(read) > 1),
        unlearned=settings(runs, runs.nothing, runs.finished) if runs.nothing.any() else (),
        rests=tuple(dict.fromkeys((*lost, *(why for why, _ in against)))),
    )


_REASONS: dict[Reading, Rests] = {
    "finished runs": DIVERGED,
    "diverged last": DIVERGED,
    "learned something": UNLEARNED,
}


def readings(runs: FactorRuns) -> tuple[tuple[Reading, FactorRuns], ...]:
    """The ways to read the runs; the first is the one whose numbers are shown."""
    # Of a probe what diverged has no value, and none that it could be taken for.
    has_worst = runs.chance is not None and not isinstance(runs.score, ProbeScore)
    lost = (np.array(runs.became) == "diverged") & has_worst
    plain: tuple[Reading, FactorRuns] = ("finished runs", runs)
    found = [plain]
    if lost.any() and runs.finished.any():
        assert runs.chance is not None and not isinstance(runs.score, ProbeScore)
        values = with_diverged(runs.values, lost, runs.score, runs.chance, runs.counts)
        if runs.score == "nll":
            found = [plain, ("diverged last", replace(runs, values=values))]
        else:
            correct = runs.correct
            if correct is not None:  # it counts as sure of so many images, whichever they are
                part = np.float32(runs.chance.share)
                correct = np.where(lost[:, None], part, correct.astype(np.float32))
            with_lost = replace(runs, values=values, correct=correct)
            found = [("diverged at chance", with_lost), plain]
    if runs.nothing.any():
        left = replace(runs, values=np.where(runs.nothing, np.nan, runs.values))
        found.append(("learned something", left))
    return tuple(found)


def settled(
    read: Sequence[tuple[Reading, Sequence[Contribution]]],
) -> tuple[Contribution, ...]:
    """Contributions by the first of several readings, with no verdict where others disagree."""
    (_, shown), *others = read
    return tuple(
        _settled(each, [(_REASONS[reading], of[at]) for reading, of in others])
        for at, each in enumerate(shown)
    )


def _settled(shown: Contribution, others: Iterable[tuple[Rests, Contribution]]) -> Contribution:
    """With the reason instead of a verdict where another reading has another answer."""
    if shown.answer in ("cannot be told", "no interval"):
        return shown
    reasons = (why for why, other in others if other.answer != shown.answer)
    reason = next(reasons, None)
    return shown if reason is None else replace(shown, answer=reason)


def _confirmed(shown: Interaction, others: Sequence[_Read]) -> Interaction:
    """Found where every reading finds it."""
    if not shown.found:
        return shown
    pairs = {(shown.first, shown.second, shown.aliased)}
    for why, other in others:
        found = {(e.first, e.second, e.aliased) for e in other.interactions if e.found}
        if not pairs & found:
            return replace(shown, found=False, rests=why)
    return shown
