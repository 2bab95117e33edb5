"""The crew of a cluster: workers on the nodes of Ray (https://docs.ray.io), one a core or GPU.

Ray places them, moves what is sent, and says who is gone. It repeats nothing by itself: what a lost
node was at, the supervisor gives to others.
"""

import platform
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from hashlib import sha256
from pathlib import Path
from pickle import loads
from queue import Empty, SimpleQueue
from secrets import token_hex
from typing import Any, NamedTuple

import ray
from ray.exceptions import ActorDiedError, ActorUnavailableError, RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from nextify.designs import Run
from nextify.errors import InputError
from nextify.studies.running.locks import CREW, RunLocks
from nextify.studies.running.messages import Began, Died, Done, Message, Ready, Stopped
from nextify.studies.running.ray_actors import NAMESPACE, Hand, Office, Sent, Worker, packed
from nextify.studies.running.worker import Orders, Setup
from nextify.words import plural

_WAIT = 30.0  # seconds for a first node to answer
_SLACK = 2.0  # for others, where one has: they come later
_TOUCH = 2.0  # seconds for a node to answer that may be gone
_LISTEN = 10.0  # seconds that the office waits for news
_LOOK = 2.0  # seconds between two looks at the nodes
_TICK = 0.5  # the same, at the start
_CALLS = 100_000  # at once to the office: every worker may wait there for runs
_GRACE = 1.0  # seconds until it is asked what a worker died of: its node may be dying


class _Node(NamedTuple):
    """A node of the cluster. `refused`: why nobody can work there; empty where they can."""

    id: str
    name: str
    address: tuple[str, int]
    refused: str = ""

    @property
    def place(self) -> str:
        return f"node {self.name} ({self.id[:8]})"


@dataclass
class _Hired:
    """A worker. `orders`: what it was told, None once it is ready; `heard`: the number of its last
    message."""

    seat: int
    orders: Orders | None
    actor: Any = None
    heard: int = 0


_Said = Iterable[tuple[int, Message]]


class RayCrew:
    """Workers on a cluster's nodes, also on those that join while it works. To be used while this
    process is connected to the cluster (see `cluster`).

    Args:
        study: the file whose runs are trained: what outlives this process is found by it. None:
            nothing is to.
        most: workers at the most; None: as many as the nodes have cores or, where any has one,
            GPUs. cores: that each takes, one at the least.
    """

    def __init__(
        self, study: Path | None = None, *, most: int | None = None, cores: int = 1
    ) -> None:
        self._study, self._most, self._cores = study, most, cores
        self._places: list[_Node] = []  # by seat
        self._nodes: dict[str, _Node] = {}  # that are there, by id
        self._asked: set[str] = set()  # nodes that have not told their versions yet
        self._staff: dict[str, _Hired] = {}  # by name
        self._noted: list[tuple[str, int]] = []
        self._over: list[tuple[str, str]] = []
        self._without: set[str] = set()  # nodes that images are sent to
        self._images: Any = None
        # What to do about what Ray's threads have heard; done by who listens.
        self._events: SimpleQueue[Callable[[], _Said]] = SimpleQueue()
        self._office: Any = None
        self._locks: RunLocks | None = None
        self._looked = 0.0
        self._gpu = any(node["Resources"].get("GPU") for node in ray.nodes() if node["Alive"])
        self._versions = _version_teller()()
        began = time.monotonic()
        while self._wait(time.monotonic() - began):
            self._look()
            with suppress(Empty):
                tuple(self._events.get(timeout=_TICK)())
        if not self._places:
            raise InputError(
                f"no node of the cluster has what a run takes ({plural(cores, 'core')}"
                f"{' and a GPU' * self._gpu}); join one (ray start --address), or lower "
                "--cores-per-run"
            )

    def _wait(self, waited: float) -> bool:
        """Whether to wait for nodes, before the first worker is hired."""
        if not self._places:
            return waited < _WAIT
        return bool(self._asked) and waited < _SLACK

    @property
    def seats(self) -> int:
        """One a core or a GPU of every node that there ever was."""
        return len(self._places)

    def place(self, seat: int) -> str:
        """The node; empty if it is gone."""
        node = self._places[seat]
        return node.place if node.id in self._nodes else ""

    def hire(self, seat: int, orders: Orders) -> None:
        """Start an actor, as soon as Ray has its core or GPU."""
        node, worker = self._places[seat], f"{self._opened()} {token_hex(8)}"
        if node.id in self._without:
            orders = replace(orders, setup=Sent(orders.setup, [self._images]))
        hired = self._staff[worker] = _Hired(seat, orders)
        if node.refused:
            self._events.put(lambda: self._verdict(worker, InputError(node.refused)))
            return
        ray.get(self._office.enter.remote(worker, node.id))
        folder = str(Path.cwd())
        hired.actor = (
            ray.remote(Worker)
            .options(
                name=worker, namespace=NAMESPACE, lifetime="detached", num_cpus=self._cores,
                num_gpus=int(self._gpu), scheduling_strategy=_at(node.id),
            )
            .remote(
                self._office, worker, node.name, orders,
                gpu=self._gpu, folder=folder, modules=bool({"", folder} & {*sys.path}),
            )
        )  # fmt: skip
        self._then(hired.actor.live.remote(), lambda error: self._ended(worker, error))

    def give(self, seat: int, runs: tuple[Run, ...]) -> None:
        """By way of the office."""
        worker = next(name for name, hired in self._staff.items() if hired.seat == seat)
        self._office.give.remote(worker, runs)

    def listen(self, seconds: float) -> _Said:
        """What there is, and what comes first."""
        if self._office is None:
            self._opened()
            yield from self._resumed()
        if time.monotonic() - self._looked > _LOOK:
            self._look()
        with suppress(Empty):
            while True:
                yield from self._events.get(timeout=seconds)()
                seconds = 0

    def dismiss(self) -> None:
        """Kill the actors: the cluster is as it was."""
        for actor in (*(hired.actor for hired in self._staff.values()), self._office):
            if actor is not None:
                with suppress(RayError):
                    ray.kill(actor)
        self._staff.clear()
        self._office = None
        if self._locks is not None:
            self._locks.close()
            self._locks = None

    def _opened(self) -> str:
        """The office's name. It is the study's own, unless another supervisor has that."""
        if self._office is None:
            self._name = f"nextify {token_hex(8)}"
            if self._study is not None:
                self._locks = RunLocks(self._study)
                if self._locks.claim(CREW):
                    of = f"{platform.node()}:{self._study.resolve()}"
                    self._name = f"study {sha256(of.encode()).hexdigest()[:16]}"
            here = ray.get_runtime_context().get_node_id()
            self._office = (
                ray.remote(Office)
                .options(
                    name=self._name, namespace=NAMESPACE, lifetime="detached", num_cpus=0,
                    get_if_exists=True, scheduling_strategy=_at(here),
                    max_concurrency=_CALLS,
                )
                .remote()
            )  # fmt: skip
            self._office.stay.remote()
            self._hear()
        return self._name

    def _resumed(self) -> _Said:
        """The workers that a supervisor before has left."""
        staff: dict[str, Hand] = ray.get(self._office.staff.remote())
        for worker, hand in staff.items():
            try:
                actor = ray.get_actor(worker, NAMESPACE)
            except ValueError:
                actor = None
            if not hand.runs:
                self._dropped(worker, actor)
                continue
            seat = self._seat_on(hand.node)
            self._staff[worker] = _Hired(seat, None, actor)
            yield seat, replace(loads(hand.ready), at_work=tuple(hand.runs))
            yield seat, Began()
            if actor is None:
                self._ended(worker, ActorDiedError())
            else:
                self._watch(worker)

    def _seat_on(self, node: str) -> int:
        """A free seat of a node; one more, where it has none."""
        taken = {hired.seat for hired in self._staff.values()}
        for seat, place in enumerate(self._places):
            if place.id == node and seat not in taken:
                return seat
        self._places.append(self._nodes.get(node) or _Node(node, "that is gone", ("", 0)))
        return len(self._places) - 1

    def _dropped(self, worker: str, actor: Any) -> None:
        """Nobody waits for it any more."""
        self._office.leave.remote(worker)
        if actor is not None:
            with suppress(RayError):
                ray.kill(actor)

    def _then(self, called: Any, react: Callable[[Any], _Said]) -> None:
        """React to the result of a call, or to its error."""

        def is_done(done: Any) -> None:
            outcome = done.exception() or done.result()
            self._events.put(lambda: react(outcome))

        called.future().add_done_callback(is_done)

    def _hear(self) -> None:
        noted, over, self._noted, self._over = self._noted, self._over, [], []
        self._then(self._office.hear.remote(noted, over, _LISTEN), self._heard)

    def _heard(self, said: list[tuple[str, int, bytes]] | Exception) -> _Said:
        """What the office has, and listen on."""
        if isinstance(said, list):
            yield from self._news(said)
        elif not isinstance(said, ActorUnavailableError):
            raise InputError(
                "the cluster has lost what of the study ran on this node; what is recorded is "
                "kept, and the same command goes on"
            )
        self._hear()

    def _watch(self, worker: str) -> None:
        watch = self._staff[worker].actor.watch.remote()
        self._then(watch, lambda error: self._ended(worker, error))

    def _ended(self, worker: str, error: Exception) -> _Said:
        """Its process has, or cannot be reached: what of is known a moment later."""
        if worker in self._staff:
            verdict = partial(self._verdict, worker, error)
            later = threading.Timer(_GRACE, self._events.put, [verdict])
            later.daemon = True
            later.start()
        return ()

    def _news(self, said: list[tuple[str, int, bytes]]) -> _Said:
        """What workers said and has not been passed on; once it is, it is noted."""
        for worker, number, content in said:
            hired = self._staff.get(worker)
            if hired is not None and number > hired.heard:
                hired.heard = number
                message: Message = loads(content)
                yield from self._passed(worker, message)
                if isinstance(message, Done):
                    self._over.append((worker, message.record.key))
            self._noted.append((worker, number))

    def _passed(self, worker: str, message: Message) -> _Said:
        """A message, unless it is that a node has not the images, and they can be sent there."""
        hired = self._staff[worker]
        node, orders = self._places[hired.seat], hired.orders
        match message:
            case Ready():
                hired.orders = None
            case Stopped(text, detail="") if orders is not None:
                self._free(worker)
                if not isinstance(orders.setup, Sent):
                    try:
                        self._share(orders.setup)
                    except InputError as error:
                        text = f"{text}; {error}"
                    else:
                        self._without.add(node.id)
                        self.hire(hired.seat, orders)
                        return
                message = Stopped(f"{node.place}: {text}")
            case Stopped() | Died():
                self._free(worker)
        yield hired.seat, message

    def _share(self, setup: Setup) -> None:
        """Have the images where nodes can fetch them that have not got them at their path.

        Raises:
            InputError: they cannot be sent.
        """
        if self._images is None:
            from nextify.training.machine import thread_count

            with thread_count(None):  # which `load` changes, as in a worker
                self._images = ray.put(packed(setup.load()))

    def _free(self, worker: str) -> None:
        """Its seat is."""
        hired = self._staff.pop(worker)
        self._dropped(worker, hired.actor)

    def _verdict(self, worker: str, error: Exception) -> _Said:
        """What became of a worker."""
        if worker not in self._staff:
            return
        seat = self._staff[worker].seat
        node = self._places[seat]
        if isinstance(error, InputError):
            self._free(worker)
            yield seat, Stopped(str(error))
            return
        is_gone = not _answers(node.address)
        if isinstance(error, ActorUnavailableError) and not is_gone:
            self._watch(worker)
            return
        yield from self._last_words(worker)
        if is_gone:
            self._nodes.pop(node.id, None)
        if worker in self._staff:  # it has not said itself that it ends
            self._free(worker)
            yield seat, Died(f"{node.place} is gone" if is_gone else _how(error), is_gone)

    def _last_words(self, worker: str) -> _Said:
        """All that it has said, and the office has told nobody yet."""
        said = ray.get(self._office.hear.remote([], [], 0))
        yield from self._news([each for each in said if each[0] == worker])

    def _look(self) -> None:
        """Ask nodes that are new for their versions, and forget those that Ray has given up."""
        self._looked = time.monotonic()
        there = {node["NodeID"]: node for node in ray.nodes() if node["Alive"]}
        self._nodes = {id: node for id, node in self._nodes.items() if id in there}
        for id in there.keys() - self._nodes.keys() - self._asked:
            self._asked.add(id)
            self._ask(there[id])

    def _ask(self, told: Mapping[str, Any]) -> None:
        address = told["NodeManagerAddress"], told["NodeManagerPort"]
        node = _Node(told["NodeID"], told["NodeManagerHostname"], address)
        how = {"num_cpus": 0, "max_retries": 0, "scheduling_strategy": _at(node.id)}
        answer = ray.remote(_version_teller()).options(**how).remote()
        self._then(answer, lambda versions: self._admit(node, told["Resources"], versions))

    def _admit(
        self, node: _Node, resources: Mapping[str, float], versions: Mapping[str, str] | Exception
    ) -> _Said:
        """Give a node its seats; one of other versions has a single one, to be refused in."""
        self._asked.discard(node.id)
        if isinstance(versions, Exception):  # it is gone, or will be asked again
            return ()
        count = int(resources.get("CPU", 0) // self._cores)
        if self._gpu:
            count = min(count, int(resources.get("GPU", 0)))
        others = [f"{name} {there} (here: {self._versions[name]})"
                  for name, there in versions.items() if there != self._versions[name]]  # fmt: skip
        if others and count:
            said = f"{node.place} has {' and '.join(others)}; install the same"
            node, count = node._replace(refused=said), 1
        self._nodes[node.id] = node
        taken = sum(place.id in self._nodes and place.id != node.id for place in self._places)
        count = min(count, (self._most or count + taken) - taken)
        self._places += [node] * (count - sum(place.id == node.id for place in self._places))
        return ()


def _version_teller() -> Callable[[], dict[str, str]]:
    """What tells the versions that have to be the same everywhere; it can also be sent to where
    nextify is another one, or none: a function inside another travels as its code."""

    def told() -> dict[str, str]:
        from importlib import import_module, metadata
        from platform import python_version

        found = {"Python": python_version(), "nextify": "none", "torch": "none"}
        try:
            found["nextify"] = import_module("nextify.version").__version__
            found["torch"] = metadata.version("torch")  # importing it would take seconds
        except ImportError:
            pass
        return found

    return told


def _at(node: str) -> NodeAffinitySchedulingStrategy:
    return NodeAffinitySchedulingStrategy(node, soft=False)


def _answers(address: tuple[str, int]) -> bool:
    """Whether a node's Ray is there: it may have died with its workers."""
    try:
        socket.create_connection(address, _TOUCH).close()
    except OSError:
        return False
    return True


def _how(error: Exception) -> str:
    """How a worker's process ended, as far as Ray knows."""
    if isinstance(error, ActorDiedError) and error.actor_init_failed:
        return f"its process could not start: {str(error).strip().splitlines()[-1]}"
    if "running low on memory" in str(error):
        return "out of memory: Ray ended its process because the node's memory ran out"
    return "its process was killed (by hand, or because memory ran out), or crashed"
