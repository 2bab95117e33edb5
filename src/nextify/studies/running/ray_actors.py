"""What of a study runs on a cluster's nodes: its workers, and the office that they report to.

Both are actors that outlive the supervisor. It may be killed: workers end the runs that they were
given, the office keeps what came of these, and both are there when the supervisor starts again. A
worker that nobody has anything for any more ends by itself, and so does an office without workers.

A worker computes in its process's main thread, and asks the office for its runs: where it took
calls instead, Ray would look for them a hundred times a second.
"""

import asyncio
import os
import pickle
import sys
import time
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from io import BytesIO
from itertools import count
from typing import TYPE_CHECKING, Any

import ray
from ray.exceptions import ActorUnavailableError, RayError

from nextify.designs import Run
from nextify.errors import InputError
from nextify.studies.running.messages import Done, Message, Ready
from nextify.studies.running.worker import Identified, Orders, Setup, on_one_thread, work

if TYPE_CHECKING:  # it imports torch, which a supervisor does without
    from torch import Tensor

NAMESPACE = "nextify"  # of the actors' names
PATIENCE = 30.0  # seconds without a word from the supervisor, after which nobody waits for it
_KEPT = 7 * 24 * 3600.0  # seconds that results are kept for it
_AGAIN = 1.0  # seconds until an office is tried again that cannot be reached


@dataclass
class Hand:
    """A worker as the office knows it. `node`: its id; `ready`: what it said when it was; `runs`:
    keys of what it was given, without what is recorded."""

    node: str
    ready: bytes = b""
    runs: list[str] = field(default_factory=list)


@dataclass
class _Desk:
    """What a worker was given last, and how often it was given something."""

    runs: tuple[Run, ...] = ()
    count: int = 0
    is_given: asyncio.Event = field(default_factory=asyncio.Event)


class Office:
    """What workers have said and the supervisor has not taken note of, in the order in which they
    said it. Messages are pickled; a worker's are numbered from 1."""

    def __init__(self) -> None:
        self.hands: dict[str, Hand] = {}
        self.desks: dict[str, _Desk] = {}
        self.said: dict[tuple[str, int], bytes] = {}
        self.news = asyncio.Event()
        self.heard_at = time.monotonic()

    async def enter(self, worker: str, node: str) -> None:
        """A worker is hired, by the name of its actor."""
        self.hands[worker], self.desks[worker] = Hand(node), _Desk()

    async def leave(self, worker: str) -> None:
        """It is gone, and what it was given is others' now."""
        self.hands.pop(worker, None)
        self.desks.pop(worker, None)

    async def give(self, worker: str, runs: tuple[Run, ...]) -> None:
        """It is given runs, which it takes when it has said what became of those before."""
        if worker in self.hands:  # or it has just died
            self.hands[worker].runs += [run.key for run in runs]
            desk = self.desks[worker]
            desk.runs, desk.count = runs, desk.count + 1
            desk.is_given.set()

    async def take(self, worker: str, number: int) -> tuple[Run, ...]:
        """The runs that it is given for the time of this number, from 1; waits for them. Where it
        does not know whether it was answered, it asks again. None at all: nobody has any for it any
        more, and it ends. Its hand stays where the supervisor has not recorded all that it did."""
        while worker in self.desks:
            desk = self.desks[worker]
            if desk.count >= number:
                return desk.runs
            desk.is_given.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(desk.is_given.wait(), PATIENCE)
            if desk.count < number and not self.is_watched():
                break
        if worker in self.hands and not self.hands[worker].runs:
            await self.leave(worker)
        return ()

    async def say(self, worker: str, number: int, message: bytes, *, is_ready: bool) -> None:
        """A worker says something; where it does not know whether it was heard, again."""
        if worker in self.hands:
            if is_ready:
                self.hands[worker].ready = message
            self.said[worker, number] = message
            self.news.set()

    async def hear(
        self, noted: Iterable[tuple[str, int]], over: Iterable[tuple[str, str]], seconds: float
    ) -> list[tuple[str, int, bytes]]:
        """All that is not noted; waits until there is something, at most so long.

        Args:
            noted: messages that need not be kept. over: workers, with runs that are recorded.
        """
        self.heard_at = time.monotonic()
        for each in noted:
            self.said.pop(each, None)
        for worker, key in over:
            if worker in self.hands and key in self.hands[worker].runs:
                self.hands[worker].runs.remove(key)
        if not self.said:
            self.news.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self.news.wait(), seconds)
        return [(*each, message) for each, message in self.said.items()]

    async def staff(self) -> dict[str, Hand]:
        """All workers."""
        return self.hands

    def is_watched(self) -> bool:
        """Whether a supervisor listens."""
        return time.monotonic() - self.heard_at < PATIENCE

    async def stay(self) -> None:
        """Until nobody needs it any more."""
        while True:
            await asyncio.sleep(PATIENCE)
            alone = time.monotonic() - self.heard_at
            if alone > (_KEPT if self.said or self.hands else PATIENCE):
                os._exit(0)


class Worker:
    """A worker in a process of a node.

    Args:
        office: an `Office` actor. name: its own, there. node: its machine's, for records. orders:
            what it is told at its start. gpu: whether it has one. folder: the supervisor's working
            folder, in which relative paths start. modules: whether that imports from there.
    """

    def __init__(
        self, office: Any, name: str, node: str, orders: Orders, *,
        gpu: bool, folder: str, modules: bool,
    ) -> None:  # fmt: skip
        os.environ |= {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
        if not gpu:
            os.environ["CUDA_VISIBLE_DEVICES"] = ""
        with suppress(OSError):
            os.chdir(folder)
        if not modules:  # a user's random.py there would be taken for Python's
            sys.path[:] = [each for each in sys.path if each not in ("", folder)]
        self.office, self.name, self.node, self.said = office, name, node, 0
        self.orders = orders

    def live(self) -> None:
        """Until nobody has runs for it. Fails then, as its process has ended, and where that ends
        in another way."""
        work(self.orders, self._given(), self._say)
        os._exit(0)

    def watch(self) -> None:
        """Waits for `live`, and fails with it."""

    def _given(self) -> Iterator[tuple[Run, ...]]:
        for number in count(1):
            runs = self._asked(self.office.take.remote, self.name, number)
            if not runs:
                return
            yield runs

    def _say(self, message: Message) -> None:
        self.said += 1
        content = pickle.dumps(self._signed(message))
        ready = isinstance(message, Ready)
        self._asked(self.office.say.remote, self.name, self.said, content, is_ready=ready)

    def _signed(self, message: Message) -> Message:
        """The message, with the node in what is kept of it."""
        match message:
            case Ready(environment):
                return replace(message, environment={**environment, "node": self.node})
            case Done(record):
                there = {**record.environment, "node": self.node}
                return replace(message, record=replace(record, environment=there))
        return message

    def _asked(self, method: Any, *args: Any, **more: Any) -> Any:
        """What the office answers; without one, a worker ends."""
        while True:
            try:
                return ray.get(method(*args, **more))
            except ActorUnavailableError:
                time.sleep(_AGAIN)
            except RayError:
                # The supervisor ends both: wait for that, or Ray tells it of a worker that crashed.
                time.sleep(_AGAIN)
                os._exit(1)


@dataclass(frozen=True)
class Sent:
    """The setup of a node that has not the images: they come through the object store, once a node,
    and its workers share the memory.

    Attributes:
        setup: as of the others. images: a reference to what `packed` made of them, in a list, or it
            would be fetched before it is asked for.
    """

    setup: Setup
    images: list[Any]

    def load(self) -> Identified:
        """The images that were sent."""
        on_one_thread()
        found: Identified = unpacked(*ray.get(self.images[0]))
        return found

    def environment(self) -> Mapping[str, Any]:
        """As `setup` has it."""
        return self.setup.environment()


def packed(dataset: Any) -> tuple[bytes, dict[int, Any]]:
    """A data set as it is sent: pickled, with its tensors beside it as arrays.

    Raises:
        InputError: its images stay in their files.
    """
    from torch import Tensor

    from nextify.data import Dataset

    if isinstance(dataset, Dataset) and dataset.is_streamed:
        raise InputError("images that do not fit memory are read from their files, and not sent")
    tensors: dict[int, Tensor] = {}  # each once, however many parts of the data set share it

    class Pickler(pickle.Pickler):
        def persistent_id(self, value: Any) -> int | None:
            if not isinstance(value, Tensor):
                return None
            tensors[id(value)] = value
            return id(value)

    file = BytesIO()
    Pickler(file, protocol=pickle.HIGHEST_PROTOCOL).dump(dataset)
    return file.getvalue(), {number: value.numpy() for number, value in tensors.items()}


def unpacked(content: bytes, arrays: Mapping[int, Any]) -> Any:
    """The data set of `packed`. Its tensors share the arrays' memory, which may be read only."""
    import torch

    class Unpickler(pickle.Unpickler):
        def persistent_load(self, number: Any) -> "Tensor":
            with warnings.catch_warnings(category=UserWarning, action="ignore"):
                return torch.from_numpy(arrays[number])

    return Unpickler(BytesIO(content)).load()
