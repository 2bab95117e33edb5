"""The processes that carry out one run together: who they are, and what they tell one another.

torchrun starts them and says to each which it is; `together` joins them. Every process holds the
whole network, draws what the whole batch draws, and takes the images of its part; sums over the
processes are those over the batch. So the images that a network sees do not depend on how many
processes there are, and what it computes from them only by rounding.
"""

import signal
import socket
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from secrets import token_hex
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from nextify.errors import InputError
from nextify.machine.facts import environment
from nextify.machine.lines import note
from nextify.machine.ranks import Rank, rank_here
from nextify.training.machine import current_card
from nextify.words import one_line

T = TypeVar("T")

PATIENCE = timedelta(hours=1)  # for one another: one may decode images that others have
_ALIKE = {"nextify": "version of nextify", "python": "version of Python",
          "torch": "version of torch", "device_kind": "kind of device"}  # fmt: skip


class World:
    """The processes of a run. What they tell one another all of them have to ask for, in the same
    order; `ALONE` is the world of one process, which tells itself.

    >>> World(Rank(number=1, size=2)).part(8)
    tensor([2, 3, 4, 5])
    >>> World(Rank(number=0, size=2)).part(8)
    tensor([0, 1, 6, 7])
    """

    def __init__(self, rank: Rank) -> None:
        self.rank, self.size = rank, rank.size
        self.is_first = rank.number == 0
        self.shared: BaseException | None = None  # an error that all processes have

    def part(self, batch: int, passes: int = 1) -> Tensor:
        """The places in a batch whose images this process takes: with each also that which is as
        far from the end, its partner in mixing. All places are taken, and none twice; of a batch
        that goes through the network in equal passes, as many of each."""
        size = batch // passes
        low, high = (size // 2 * at // self.size for at in self._ends())
        own = torch.cat([torch.arange(low, high), torch.arange(size - high, size - low)])
        if self.rank.number == self.size - 1:
            own = torch.arange(low, size - low)
        return torch.cat([own + at * size for at in range(passes)])

    def share(self, count: int) -> Tensor:
        """Which of so many things this process takes: neighbours, the first process the first."""
        low, high = (count * at // self.size for at in self._ends())
        return torch.arange(low, high)

    def _ends(self) -> tuple[int, int]:
        return self.rank.number, self.rank.number + 1

    def total(self, values: Tensor) -> Tensor:
        """The sum over the processes, in place."""
        if self.size > 1:
            dist.all_reduce(values)
        return values

    def in_order(self, values: Tensor) -> Tensor:
        """What all processes have, (N, ...) on the CPU, one after another."""
        if self.size == 1:
            return values
        counts = [torch.zeros((), dtype=torch.int64) for _ in range(self.size)]
        dist.all_gather(counts, torch.tensor(len(values)))
        most = int(max(counts))
        padded = torch.cat([values, values.new_zeros(most - len(values), *values.shape[1:])])
        found = [torch.empty_like(padded) for _ in counts]
        dist.all_gather(found, padded.contiguous())
        return torch.cat([of[:count] for of, count in zip(found, counts, strict=True)])

    def make_equal(self, tensors: Iterable[Tensor]) -> None:
        """Give all processes the first one's numbers: other processors may round other ones."""
        if self.size > 1:
            for each in tensors:
                dist.broadcast(each.detach(), 0)

    def by_first(self, call: Callable[[], T]) -> T:
        """What a call gives in the first process, which alone makes it; or the error it raises."""
        if self.size == 1:
            return call()
        told: list[Any] = [_outcome(call) if self.is_first else None]
        dist.broadcast_object_list(told, 0)
        found, error = told[0]
        if error is not None:
            self._raise(error)
        result: T = found
        return result

    def by_all(self, call: Callable[[], T]) -> T:
        """What a call gives here, if it raises no error in any process; else the first error."""
        if self.size == 1:
            return call()
        found, error = _outcome(call)
        told = self._of_all(error)
        errors = {at: each for at, each in enumerate(told) if each is not None}
        for at, each in errors.items():
            everywhere = {str(other) for other in told} == {str(each)}
            self._raise(each if everywhere else InputError(f"{self._name(at)}: {each}"))
        result: Any = found
        return result  # type: ignore[no-any-return]

    def require_same(self, what: Mapping[str, Any], remedy: str) -> None:
        """Check that values of these names are the same in all processes.

        Raises:
            InputError: with the first that differs.
        """
        if self.size == 1:
            return
        first, *others = self._of_all(dict(what))
        for at, there in enumerate(others, 1):
            for name, value in first.items():
                if there[name] != value:
                    shown = [f" ({one:.16})" if isinstance(one, str) else ""
                             for one in (there[name], value)]  # fmt: skip
                    self._raise(InputError(
                        f"{self._name(at)} has another {name}{shown[0]} than process 0{shown[1]}; "
                        f"{remedy}"
                    ))  # fmt: skip

    def _of_all(self, value: T) -> list[T]:
        """The value of each process, and where the process is, for messages."""
        found: list[Any] = [None] * self.size
        dist.all_gather_object(found, (value, socket.gethostname()))
        self._hosts = [host for _, host in found]
        return [each for each, _ in found]

    def _name(self, at: int) -> str:
        return f"process {at} on {self._hosts[at]}"

    def _raise(self, error: InputError) -> None:
        self.shared = error
        raise error


ALONE = World(Rank())


def _outcome(call: Callable[[], T]) -> tuple[T | None, InputError | None]:
    try:
        return call(), None
    except InputError as error:
        return None, error.with_traceback(None)


@contextmanager
def together(device: str) -> Iterator[World]:
    """The world of this process, joined with the others while inside.

    An error of this process alone, which the first cannot tell, is noted here. One that comes of
    the end of another process is an `InputError`; and torchrun's signal, by which it ends all when
    one has ended, a `KeyboardInterrupt`.

    Raises:
        InputError: the others do not come, or are of other versions.
    """
    rank = rank_here()
    if rank.size == 1:
        yield ALONE
        return
    world = World(rank)
    with current_card(device), _ended_by_torchrun():
        _join(rank, device)
        try:
            here = environment(device)
            world.require_same({name: here[key] for key, name in _ALIKE.items()}, "make them alike")
            yield world
        except InputError as error:
            if error is world.shared:
                dist.destroy_process_group()
            elif rank.local > 0:  # the first of each machine tells its own
                note(one_line(f"nextify: process {rank.number}: {error}"))
            raise
        except RuntimeError as error:
            if not _is_of_processes(error):
                raise
            raise InputError(
                "another process of this run has ended, and so does this one; the same command "
                "goes on from the last checkpoint, if there is one"
            ) from error
        dist.destroy_process_group()  # not where others may have ended: they would be waited for


def _join(rank: Rank, device: str) -> None:
    on_gpu = torch.device(device).type == "cuda"
    backend = "cpu:gloo,cuda:nccl" if on_gpu else "gloo"
    try:
        store, number, size = next(dist.rendezvous("env://", timeout=PATIENCE))
        own = dist.PrefixStore(_meeting(store, number, size), store)
        dist.init_process_group(backend, store=own, rank=number, world_size=size, timeout=PATIENCE)
    except (RuntimeError, ValueError) as error:
        raise InputError(
            f"the {rank.size} processes of this run cannot join ({str(error).splitlines()[0]}); "
            "start them with torchrun, and name a free port with --master-port"
        ) from error


def _meeting(store: dist.Store, number: int, size: int) -> str:
    """A name that all processes have, and that no earlier meeting had: torchrun keeps its store
    when it starts all again, with the addresses of processes that are no more.

    Each of the others asks under a name of its own, until the first has answered them all.
    """
    if number > 0:
        own = token_hex(8)
        store.set(f"asks {number}", own)
        _wait_until(lambda: store.check([own]))
        found = store.get(own).decode()
        store.set(f"{found} {number}", found)
        return found
    found, others = token_hex(8), range(1, size)

    def all_know() -> bool:
        for at in others:
            if store.check([f"asks {at}"]):  # perhaps one of before
                store.set(store.get(f"asks {at}").decode(), found)
        return store.check([f"{found} {at}" for at in others])

    _wait_until(all_know)
    return found


def _wait_until(is_so: Callable[[], bool]) -> None:
    began = time.monotonic()
    while not is_so():
        if time.monotonic() - began > PATIENCE.total_seconds():
            raise RuntimeError("not all of them have come")
        time.sleep(0.02)


def _is_of_processes(error: RuntimeError) -> bool:
    """Whether the others cannot be reached any more: torch has no one type of error for it."""
    return isinstance(error, dist.DistError) or "gloo" in str(error)


@contextmanager
def _ended_by_torchrun() -> Iterator[None]:
    """Inside, SIGTERM is an interrupt, which says how to go on."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
