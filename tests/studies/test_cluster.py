"""Studies on a cluster: real processes of Ray on this machine, each node a raylet of its own."""

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

import cluster_study
import pytest
import torch
from cluster_study import Noted, ended, plan_of
from tiny_study import NoData, begun, determined, note, undisturbed

import nextify.version
from nextify.data import load
from nextify.designs import Run, path
from nextify.errors import InputError
from nextify.records import Record, Store
from nextify.requests import DataSpec
from nextify.studies import Frame, Interrupted, Summary, WorkerSetup, execute, plan_path
from nextify.studies.running.clusters import cluster, crew_on
from nextify.studies.running.worker import OnProgress
from nextify.training.machine import thread_count

ray = pytest.importorskip("ray", reason="ray is not installed: pip install 'nextify[cluster]'")
pytestmark = [
    # Ray leaves files and sockets to the collector, where it is told to stop.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
PATIENCE = 120.0  # seconds


def until(condition: Callable[[], Any], what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain until {what}"
        time.sleep(0.02)


@pytest.mark.parametrize(
    ("address", "said"),
    [("no/where", "give HOST:PORT"), ("127.0.0.1:9", "no head node answers there"),
     ("127.0.0.1:host", "give HOST:PORT")],
)  # fmt: skip
def test_an_address_that_does_not_answer(address, said):
    with pytest.raises(InputError, match=said), cluster(address):
        pass


def test_without_ray_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(InputError, match=r"pip install 'nextify\[cluster\]'"), cluster("auto"):
        pass


def test_images_come_through_whole():
    """Parts that share memory share it still; what they were mapped from stays behind."""
    from nextify.studies.running.ray_actors import packed, unpacked

    images = load("embedded", train_limit=50, hold_out=True)
    content, arrays = packed(images)
    assert len(content) < 20_000
    there = unpacked(content, arrays)
    assert there.identity() == images.identity()
    for side in ("train", "test"):
        assert getattr(there, side).pixels.equal(getattr(images, side).pixels)
        assert getattr(there, side).labels.equal(getattr(images, side).labels)


def test_what_the_office_gives_is_not_lost_on_the_way(monkeypatch):
    """A worker that asks again has the same; one that nobody listens to any more is told to end,
    and what it did is kept for who comes next."""
    from nextify.studies.running import ray_actors

    monkeypatch.setattr(ray_actors, "PATIENCE", 0.05)
    first, second = (plan_of(2).run(cell, seed) for cell, seed in plan_of(2).places()[:2])

    async def office() -> None:
        desk = ray_actors.Office()
        for worker in ("busy", "idle"):
            await desk.enter(worker, "a node")
        desk.heard_at += 60.0  # the supervisor is there
        waiting = asyncio.create_task(desk.take("busy", 1))
        await asyncio.sleep(0.2)
        await desk.give("busy", (first,))
        assert await waiting == await desk.take("busy", 1) == (first,)
        await desk.say("busy", 1, b"done", is_ready=False)
        desk.heard_at -= 120.0
        assert await desk.take("busy", 2) == await desk.take("idle", 1) == ()
        assert {name: hand.runs for name, hand in desk.hands.items()} == {"busy": [first.key]}
        assert await desk.hear([], [("busy", first.key)], 0) == [("busy", 1, b"done")]
        await desk.give("busy", (second,))
        assert await desk.take("busy", 2) == (second,)
        await desk.leave("busy")
        assert await desk.take("busy", 3) == ()

    asyncio.run(office())


class Nodes:
    """A head node, on which nothing is trained, and others of a core each."""

    def __init__(self) -> None:
        from ray.cluster_utils import Cluster

        self.all = Cluster()
        self.all.add_node(num_cpus=0, include_dashboard=False, include_log_monitor=False)
        self.address = self.all.address
        self.there: list[Any] = []

    def add(self) -> None:
        self.there.append(self.all.add_node(num_cpus=1, wait=False))

    def kill(self, at: int = 0) -> None:
        """As a machine that loses its power: nobody is told."""
        node = self.there.pop(at)
        node.kill_raylet()
        node.kill_all_processes(check_alive=False, allow_graceful=False)

    def at_least(self, count: int) -> None:
        while len(self.there) < count:
            self.add()


def surroundings() -> dict[str, str]:
    """Variables that nodes are started with."""
    # Without tests/, in which Ray would take requests/ for the library of that name.
    paths = [Path(__file__).parent, Path(nextify.version.__file__).parents[1]]
    return {
        "PYTHONPATH": os.pathsep.join(map(str, paths)),
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_AUTH_MODE": "disabled",  # also where this user has a token
        # A node that is gone is known to be after two seconds, not after half a minute.
        "RAY_health_check_initial_delay_ms": "500",
        "RAY_health_check_period_ms": "500",
        "RAY_health_check_timeout_ms": "1000",
        "RAY_health_check_failure_threshold": "3",
    }


@pytest.fixture(scope="module")
def every_node(tmp_path_factory) -> Iterator[Nodes]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in surroundings().items():
            patch.setenv(name, value)
        nodes = Nodes()
        yield nodes
        nodes.all.shutdown()


@pytest.fixture
def nodes(every_node) -> Nodes:
    every_node.at_least(2)
    return every_node


@pytest.fixture(scope="module")
def connected(every_node) -> Iterator[None]:
    """This process is."""
    with cluster(every_node.address):
        yield


class Here:
    """A study in a folder of its own."""

    def __init__(self, folder: Path, address: str) -> None:
        self.study, self.log, self.address = folder / "study.db", folder / "log", address
        self.started: list[subprocess.Popen[str]] = []

    def execute(self, seeds: int = 2, seconds: float = 0.0, **options: Any) -> Summary:
        train = Noted(self.log, seconds, options.pop("mischief", {}))
        options = {"setup": NoData(), "train": train, **options}
        crew = crew_on(self.address, self.study, most=options.pop("most", None))
        return execute(plan_of(seeds), self.study, crew=crew, **options)

    def start(self, seeds: int, seconds: float) -> subprocess.Popen[str]:
        """The same by a process of its own."""
        words = [self.study, self.log, seconds, self.address, seeds]
        command = [sys.executable, cluster_study.__file__, *map(str, words)]
        self.started.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
        return self.started[-1]

    def close(self) -> None:
        for process in self.started:
            process.kill()
            process.communicate()

    def is_whole(self, seeds: int) -> bool:
        return determined(self.study) == undisturbed(plan_of(seeds))


@pytest.fixture
def made() -> Iterator[Callable[[Here], Here]]:
    """Takes note of a study; no process of it stays."""
    with ExitStack() as stack:
        yield lambda here: stack.enter_context(closing(here))


@pytest.fixture
def here(tmp_path, nodes, connected, made) -> Here:
    return made(Here(tmp_path, nodes.address))


@dataclass(frozen=True)
class DiesAt(Noted):
    """Kills its worker on one node; on others it waits until that has happened twice."""

    node: str = ""

    def __call__(self, run: Run, dataset: Any, on_progress: OnProgress) -> Record:
        dead = self.log.with_name("dead")
        if ray.get_runtime_context().get_node_id() == self.node:
            note(dead, f"{run.key} 0")
            os.kill(os.getpid(), signal.SIGKILL)
        until(lambda: len(begun(dead)) == 2, "two died")
        return super().__call__(run, dataset, on_progress)


def left_over() -> list[str]:
    """Actors of nobody, on the cluster that this process is connected to."""
    return [each["name"] for each in ray.util.list_named_actors(all_namespaces=True)]


@contextmanager
def meanwhile(what: Callable[[], None]) -> Iterator[None]:
    thread = threading.Thread(target=what)
    thread.start()
    try:
        yield
    finally:
        thread.join()


@pytest.mark.slow
def test_a_node_where_workers_die_again_and_again_is_given_up(here):
    """Its two runs are failures, as on one machine; the others do the rest."""
    bad = next(each["NodeID"] for each in ray.nodes() if each["Resources"].get("CPU"))
    summary = here.execute(train=DiesAt(here.log, node=bad))
    assert (summary.finished, summary.failed) == (4, 2)
    (loss,) = summary.losses
    assert bad[:8] in loss.place


@dataclass(frozen=True)
class OnlyAt(NoData):
    """Images that one process has, and no other."""

    process: int = 0

    def load(self) -> "OnlyAt":
        if os.getpid() != self.process:
            raise InputError("no such folder")
        return self


@pytest.mark.slow
def test_images_that_a_node_has_not_are_sent(here):
    """Also to a worker that replaces one that has died."""
    setup = OnlyAt(process=os.getpid())
    summary = here.execute(setup=setup, most=1, mischief={1: "kill"})
    assert (summary.finished, summary.failed) == (3, 3)
    assert all("killed" in each.message for each in summary.failures)
    summary = here.execute(setup=setup, most=1, retry_failed=True)
    assert summary.finished == 3 and here.is_whole(2)


def test_a_node_of_another_version_is_refused(here, monkeypatch):
    monkeypatch.setattr(nextify.version, "__version__", "9.9")
    with pytest.raises(InputError, match=r"node .* has nextify \S+ \(here: 9\.9\)"):
        here.execute()


def test_an_interrupt_leaves_the_cluster_as_it_was(here, hears_interrupts):
    def strike() -> None:
        until(lambda: begun(here.log), "a run began")
        signal.raise_signal(signal.SIGINT)

    with meanwhile(strike), pytest.raises(Interrupted, match="of 60 runs are recorded"):
        here.execute(seeds=20, seconds=1.0, most=1)
    until(lambda: not left_over(), "all actors are gone")
    until(lambda: ray.available_resources().get("CPU") == 2, "their cores are free")


def test_nodes_that_die_and_nodes_that_join(here, nodes):
    """What a node was at, others do: no run fails, and none is lost."""

    study = here.start(seeds=4, seconds=0.5)
    until(lambda: len(begun(here.log)) >= 3, "runs began")
    nodes.kill()
    nodes.add()
    until(lambda: len(ended(here.log)) >= 8, "some ended")
    nodes.kill()
    assert study.communicate(timeout=PATIENCE)[0] == "finished=12 recorded=0 failed=0\n"
    assert here.is_whole(4)
    with Store.open(here.study) as store:
        records = store.records()
    assert {each.environment["threads"] for each in records} == {"1"}
    assert all(each.environment["node"] for each in records)


def test_a_supervisor_that_is_killed_is_followed_by_one_that_trains_nothing_twice(here):
    """Not what ended, nor what its workers were at: they go on, and it listens to them again."""
    first = here.start(seeds=3, seconds=1.0)
    until(lambda: len(ended(here.log)) >= 3, "some ended")
    first.kill()
    first.wait(PATIENCE)
    before = len(begun(here.log))
    assert len(left_over()) == 3  # two workers, and what they report to
    until(lambda: len(ended(here.log)) == before, "these ended, too")
    summary = here.execute(seeds=3)
    assert summary.finished + summary.recorded == 9 and here.is_whole(3)
    assert sorted(key for key, _ in begun(here.log)) == sorted(undisturbed(plan_of(3)))


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_many_nodes_that_die(tmp_path, every_node, made):
    """200 runs and more while a node dies every few seconds, sixty times at the least."""
    seeds, kills, random = 67, 60, Random(0)
    here = made(Here(tmp_path, every_node.address))
    every_node.at_least(3)
    study, killed = here.start(seeds=seeds, seconds=4.0), 0
    until(lambda: len(begun(here.log)) >= 3, "runs began")
    while study.poll() is None and killed < kills:
        time.sleep(random.uniform(0.5, 4.0))
        every_node.kill(random.randrange(3))
        every_node.add()
        killed += 1
    said = study.communicate(timeout=3000)[0]
    times = Counter(key for key, _ in begun(here.log))
    print(f"{killed} nodes killed, {sum(times.values())} runs begun, {len(times)} recorded")
    assert said == f"finished={3 * seeds} recorded=0 failed=0\n"
    assert killed == kills and here.is_whole(seeds)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_many_supervisors_that_are_killed(tmp_path, every_node, made):
    seeds, random = 20, Random(1)
    here = made(Here(tmp_path, every_node.address))
    every_node.at_least(2)
    for _ in range(10):
        seen, study = len(ended(here.log)), here.start(seeds=seeds, seconds=1.0)
        until(lambda: len(ended(here.log)) > seen or study.poll() is not None, "one ended")  # noqa: B023
        time.sleep(random.uniform(0.0, 2.0))
        study.kill()
        study.communicate(timeout=PATIENCE)
    said = here.start(seeds=seeds, seconds=1.0).communicate(timeout=1000)[0]
    assert "failed=0" in said and here.is_whole(seeds)
    assert max(Counter(ended(here.log)).values()) == 1


@dataclass(frozen=True)
class RealOnlyAt(WorkerSetup):
    """Real images that one process has, and no other."""

    process: int = 0

    def load(self) -> Any:
        if self.process not in (0, os.getpid()):
            raise InputError("no such folder")
        return super().load()


@pytest.mark.slow
@pytest.mark.parametrize("sent", [False, True], ids=["by path", "sent"])
def test_real_runs_have_the_bits_of_one_machine(tmp_path, here, sent):
    spec = DataSpec(source="embedded", train_limit=200)
    images = load(spec)
    of = Frame(
        path("small"), data=images.identity(), data_source="", seeds=(0, 1),
        recipe_changes={"epochs": 1, "batch_size": 50},
    )  # fmt: skip
    plan = plan_path(of)
    plan = replace(plan, cells=plan.cells[-2:])
    setup = RealOnlyAt(spec, process=os.getpid() if sent else 0)
    with thread_count(2):
        execute(plan, here.study, setup, crew=crew_on(here.address, here.study))
        assert torch.get_num_threads() == 2  # as before, though images were loaded here
    execute(plan, tmp_path / "here.db", WorkerSetup(spec), workers=1, devices=())
    there, single = determined(here.study), determined(tmp_path / "here.db")
    assert there == single and all(each.outcome == "finished" for each in there.values())


class Network:
    """Machines with addresses of their own: namespaces of the kernel, on a bridge."""

    def __init__(self, variables: dict[str, str]) -> None:
        self.variables, self.started = variables, {}
        self.folder = tempfile.mkdtemp(prefix="nx-", dir="/tmp")  # short: sockets lie in it
        self.run("ip link add nx-bridge type bridge")
        self.run("ip addr add 10.97.7.1/24 dev nx-bridge")
        self.run("ip link set nx-bridge up")
        for at in (2, 3):
            self.run(f"ip netns add nx-{at}")
            self.run(f"ip link add nx-veth{at} type veth peer name eth0 netns nx-{at}")
            self.run(f"ip link set nx-veth{at} master nx-bridge up")
            self.run(f"ip netns exec nx-{at} ip addr add 10.97.7.{at}/24 dev eth0")
            self.run(f"ip netns exec nx-{at} ip link set eth0 up")
            self.run(f"ip netns exec nx-{at} ip link set lo up")

    def run(self, command: str, check: bool = True) -> None:
        subprocess.run(command.split(), check=check, capture_output=True, timeout=PATIENCE)

    def start(self, at: int) -> None:
        """A node of Ray there; the first one is the head, on which nothing is trained."""
        command = f"{sys.executable} -m ray.scripts.scripts start --block --disable-usage-stats"
        command += f" --node-ip-address=10.97.7.{at} --temp-dir={self.folder}/{at}"
        if at == 1:
            command += " --head --port=6397 --num-cpus=0 --include-dashboard=false"
        else:
            inside = f"ip netns exec nx-{at} {command}"
            command = f"{inside} --address=10.97.7.1:6397 --num-cpus=1"
        self.started[at] = subprocess.Popen(
            command.split(), env={**os.environ, **self.variables}, start_new_session=True,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def link(self, at: int, state: str) -> None:
        self.run(f"ip link set nx-veth{at} {state}")

    def close(self) -> None:
        for process in self.started.values():
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(PATIENCE)
        for at in (2, 3):
            self.run(f"ip netns del nx-{at}", check=False)
        self.run("ip link del nx-bridge", check=False)
        shutil.rmtree(self.folder, ignore_errors=True)


@pytest.fixture
def network() -> Iterator[Network]:
    if os.geteuid() != 0 or shutil.which("ip") is None:
        pytest.skip("network namespaces need root and iproute2")
    try:
        network = Network(surroundings())
    except subprocess.CalledProcessError as error:
        pytest.skip(f"no network namespaces here: {error.stderr.decode()}")
    try:
        yield network
    finally:
        network.close()


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_node_that_is_cut_off_and_joins_again(tmp_path, network, made):
    """What it was at, the other one does; when it is back, it works again."""
    for at in (1, 2, 3):
        network.start(at)
        until(lambda: answers("10.97.7.1", 6397), "the head node answers")
    here = made(Here(tmp_path, "10.97.7.1:6397"))
    study = here.start(seeds=20, seconds=2.0)
    until(lambda: len(set(workers_of(here))) == 2, "both nodes work")
    network.link(3, "down")
    seen = len(ended(here.log))
    until(lambda: len(ended(here.log)) >= seen + 20, "the other one goes on")
    network.link(3, "up")
    # Ray ends a node that it has given up, as soon as that one hears of it: it joins anew.
    until(lambda: network.started[3].poll() is not None, "it has ended")
    before = set(workers_of(here))
    network.start(3)
    until(lambda: set(workers_of(here)) - before, "it works again")
    said = study.communicate(timeout=600)[0]
    assert said == "finished=60 recorded=0 failed=0\n" and here.is_whole(20)


def workers_of(here: Here) -> list[int]:
    """Processes that runs began in, in order."""
    return [process for _, process in begun(here.log)]


def answers(host: str, port: int) -> bool:
    with suppress(OSError), socket.create_connection((host, port), 1):
        return True
    return False
