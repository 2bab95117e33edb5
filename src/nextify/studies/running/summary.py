"""`Summary`: what starting a study came to."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Setback:
    """A run that failed or diverged. `earlier`: before this start."""

    step: str
    seed: int
    key: str
    message: str
    earlier: bool


@dataclass(frozen=True, slots=True)
class Loss:
    """A place that workers were lost at until none was left there: a GPU, say.

    Attributes:
        place: `Crew.place`. message: how the last one was lost.
    """

    place: str
    message: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Summary:
    """What a start of a study did, and how the study stands now.

    Attributes:
        planned: runs of the plan. recorded: those that had a record before this start.
        finished, diverged, failed: runs that this start recorded, by outcome.
        elsewhere: runs that other processes recorded in the meantime.
        seconds: wall time of this start.
        failures, divergences: every run of the plan that failed or diverged, in the plan's order.
        losses: places that were given up in this start; others have done the rest.
    """

    planned: int
    recorded: int
    finished: int
    diverged: int
    failed: int
    elsewhere: int
    seconds: float
    failures: tuple[Setback, ...] = ()
    divergences: tuple[Setback, ...] = ()
    losses: tuple[Loss, ...] = ()

    @property
    def done(self) -> int:
        """Runs of the plan that have a record."""
        return self.recorded + self.finished + self.diverged + self.failed + self.elsewhere
