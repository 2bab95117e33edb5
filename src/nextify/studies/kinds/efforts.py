"""How much work a choice is: networks, seeds and epochs of its screening, finalists and their
seeds."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Literal

from nextify.records import Plan
from nextify.requests import Choose, changed
from nextify.requests.commands import Screening

MOST_SECONDS = 3 * 3600.0  # of a choice, for which its screening is of resolution V by itself


@dataclass(frozen=True, slots=True)
class Effort:
    """What a choice takes where its request does not say otherwise; see `Choose`."""

    experiment: Screening
    seeds: int
    finalists: int
    reshaped: int
    final_seeds: int
    shorten: int = 1


# A network has one seed in it: twice as many networks tell more than two seeds of each.
THOROUGH = Effort("resolution-5", 1, 4, 1, 5)
USUAL = Effort("resolution-4", 2, 4, 1, 5)
LESS = (Effort("resolution-4", 1, 4, 1, 5), Effort("resolution-4", 1, 3, 0, 4),
        Effort("resolution-4", 1, 2, 0, 3),
        Effort("resolution-4", 1, 2, 0, 3, shorten=3))  # fmt: skip


def effort_of(asked: Choose, usual: Effort = USUAL) -> Effort:
    """What a request says, and the usual where it says nothing."""
    values = asdict(usual)
    if asked.experiment in ("resolution-5", "full"):
        values["seeds"] = THOROUGH.seeds
    said = {name: getattr(asked, name) for name in values}
    return Effort(**{name: values[name] if said[name] is None else said[name] for name in values})


def with_effort(request: Choose, effort: Effort) -> Choose:
    """The request with so much effort; of a race, that has no screening, its part of it."""
    values = asdict(effort)
    names = values if request.candidates is None else ("finalists", "final_seeds")
    return changed(request, **{name: values[name] for name in names})


def settled_effort(asked: Choose, there: Plan | None = None) -> Choose:
    """The request with the effort of the choice that goes on, or the usual one.

    Args:
        there: the first study of what goes on.
    """
    if there is None:
        return with_effort(asked, effort_of(asked))
    begun = next((each for each in there.requests if isinstance(each, Choose)), Choose())
    if asked.candidates is None:  # the first study of a race is a comparison, and no screening
        begun = changed(begun, experiment=there.experiment, seeds=len(there.seeds))
    return with_effort(asked, effort_of(asked, effort_of(begun)))


def efforts(asked: Choose) -> tuple[Effort, ...]:
    """What may be decided between, the most thorough first: the two screenings and, where there is
    a time to keep, less."""
    is_race = asked.candidates is not None
    undecided = asked.experiment is None and not is_race
    # The first and the last are less of a screening alone.
    less = (LESS[1:-1] if is_race else LESS) if asked.within else ()
    usual = (*[THOROUGH] * undecided, USUAL, *less)
    return tuple(dict.fromkeys(effort_of(asked, each) for each in usual))


Name = Literal["screening", "rates", "race", "finals", "winner"]


@dataclass(frozen=True, slots=True)
class Phase:
    """A part of the work to come.

    Attributes:
        name: `"screening"` or, of a race, `"rates"` and `"race"`; `"finals"`, `"winner"`.
        networks, runs: how many; of the finals at most.
        seconds: None if nothing was timed.
    """

    name: Name
    networks: int
    runs: int
    seconds: float | None


def total_seconds(found: Iterable[Phase]) -> float | None:
    """What all phases take; None where nothing was timed."""
    times = [phase.seconds for phase in found]
    known = [seconds for seconds in times if seconds is not None]
    return sum(known) if len(known) == len(times) else None


def suited(found: Sequence[Sequence[Phase]], most: float | None) -> int | None:
    """Of choices, the most thorough first, the first that takes no longer than it may. Without a
    limit it may take `MOST_SECONDS`, or as many runs as the last. None if there is none."""
    runs = [sum(phase.runs for phase in each) for each in found]
    for at, each in enumerate(found):
        seconds = total_seconds(each)
        if seconds is not None and seconds <= (most or MOST_SECONDS):
            return at
        if most is None and runs[at] <= runs[-1]:
            return at
    return None
