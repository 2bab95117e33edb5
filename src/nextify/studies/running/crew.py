"""A crew: who trains the runs of a study, wherever they are.

The supervisor alone opens the study file. It hires workers, gives each a run at a time, or the runs
of one stack (`Run.stack`), listens to them all and dismisses them; it knows a worker by the number
of its seat, and not what it is. `LocalCrew` has processes of this machine. Another crew is one file
like that one, and is handed to `execute(plan, file, setup, crew=RayCrew(seats=8))`:

    class RayCrew:
        def __init__(self, seats: int) -> None:
            self.seats, self.said = seats, Queue()
            self.runs, self.tasks = {}, {}

        def hire(self, seat: int, orders: Orders) -> None:
            self.runs[seat] = Queue()
            task = ray.remote(num_gpus=1, max_retries=0)(far_away)
            self.tasks[seat] = task.remote(seat, orders, self.runs[seat], self.said)

        def place(self, seat: int) -> str:
            return f"worker {seat}"

        def give(self, seat: int, runs: tuple[Run, ...]) -> None:
            self.runs[seat].put(runs)

        def listen(self, seconds: float) -> Iterator[tuple[int, Message]]:
            with suppress(Empty):
                seat, message = self.said.get(timeout=seconds)
                if isinstance(message, Stopped | Died):
                    del self.tasks[seat]  # it has no more to say
                yield seat, message
                return
            for seat, task in tuple(self.tasks.items()):
                if ray.wait([task], timeout=0)[0]:
                    del self.tasks[seat]
                    yield seat, Died("its machine is gone")

        def dismiss(self) -> None:
            for task in self.tasks.values():
                ray.cancel(task, force=True)

    def far_away(seat: int, orders: Orders, runs: Queue, said: Queue) -> None:
        work(orders, iter(runs.get, None), lambda message: said.put((seat, message)))

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
        """How many workers there may be: seats 0, 1, ..."""

    def hire(self, seat: int, orders: Orders) -> None:
        """Start a worker; return before it has loaded its data. It says `Ready` when it has.

        Raises:
            InputError: no worker can be had.
        """

    def place(self, seat: int) -> str:
        """What its worker computes on, in words: where workers of one place fail again and again,
        no more are hired for it, as long as there are others."""

    def give(self, seat: int, runs: tuple[Run, ...]) -> None:
        """Give runs of one stack, or a single one, to a worker that is ready, and return at once.
        If the worker has just died, that is no error here: `listen` tells it."""

    def listen(self, seconds: float) -> Iterable[tuple[int, Message]]:
        """What workers say within so many seconds, with their seats; nothing is said twice.

        What one worker says comes in order. One that ends and has said neither `Stopped` nor
        `Died` has `Died`, after all that it said before; after either its seat is free.
        """

    def dismiss(self) -> None:
        """End all workers at once, whatever they do; also called when there are none.

        Where the supervisor is killed and cannot call it, they have to end by themselves. Nothing
        is recorded twice if they do so late, but their work is for nothing.
        """
