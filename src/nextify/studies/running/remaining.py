"""How long a study will still take, from how long its finished runs took."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass
class Pace:
    """Seconds of finished runs, per step and per unit of work (MACs, over all images and epochs).

    >>> pace = Pace()
    >>> pace.add("ResNet-50", work=100, seconds=20.0)
    >>> pace.expect("ResNet-50", work=100), pace.expect("patchify stem", work=50)
    (20.0, 10.0)
    """

    _seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    _work: int = 0
    _total: float = 0.0

    def add(self, step: str, work: int, seconds: float) -> None:
        """Count a finished run."""
        self._seconds[step].append(seconds)
        self._work += work
        self._total += seconds

    def expect(self, step: str, work: int) -> float | None:
        """Seconds for a run of a step: as its others took, else by its work; None: no run yet."""
        known = self._seconds.get(step)
        if known:
            return sum(known) / len(known)
        return self._total * work / self._work if self._work else None


def seconds_left(expected: Iterable[float | None], workers: int) -> float | None:
    """Seconds until runs that take `expected` seconds (longest first is not assumed) are done.

    Not shorter than the longest run, nor than all of them shared evenly; None: unknown.
    """
    times = list(expected)
    known = [time for time in times if time is not None]
    if len(known) < len(times):
        return None
    return max([sum(known) / max(workers, 1), *known], default=0.0)
