"""A crew: who trains the runs of a study, wherever they are.

The supervisor alone opens the study file. It hires workers, gives each a run at a time, or the runs
of one stack (`Run.stack`), listens to them all and dismisses them; it knows a worker by the number
of its seat, and not what it is. `LocalCrew` has processes of this machine, `RayCrew` those of a
cluster. Another crew is one file like these (docs/cluster.md has a sketch of one), and is handed to
`execute(plan, file, setup, crew=...)`.

The life of a worker is `work` (in `worker.py`), here as there.
"""

from collections.abc import Iterable
from typing import Protocol

from nextify.designs import Run
from nextify.studies.running.messages import Message
from nextify.studies.running.worker import Orders


class Crew(Protocol):
    """Workers, each in a seat; its replacement inherits the seat."""

    @property
    def seats(self) -> int:
        """How many workers there may be: seats 0, 1, ...; there may come more while it works."""

    def hire(self, seat: int, orders: Orders) -> None:
        """Start a worker; return before it has loaded its data. It says `Ready` when it has.

        Raises:
            InputError: no worker can be had.
        """

    def place(self, seat: int) -> str:
        """What its worker computes on, in words: where workers of one place fail again and again,
        no more are hired for it, as long as there are others. Empty where its place is gone: nobody
        can be hired then."""

    def give(self, seat: int, runs: tuple[Run, ...]) -> None:
        """Give runs of one stack, or a single one, to a worker that is ready, and return at once.
        If the worker has just died, that is no error here: `listen` tells it."""

    def listen(self, seconds: float) -> Iterable[tuple[int, Message]]:
        """What workers say within so many seconds, with their seats; nothing is said twice.

        What one worker says comes in order. One that ends and has said neither `Stopped` nor
        `Died` has `Died`, after all that it said before; after either its seat is free. Before
        anybody is hired, those speak whom a supervisor that is gone has left at work
        (`Ready.at_work`), if a crew has such.
        """

    def dismiss(self) -> None:
        """End all workers at once, whatever they do; also called when there are none.

        Where the supervisor is killed and cannot call it, they have to end by themselves. Nothing
        is recorded twice if they do so late, but their work is for nothing.
        """
