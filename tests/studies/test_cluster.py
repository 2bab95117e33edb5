"""Studies on a cluster: real processes of Ray on this machine, each node a raylet of its own."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cluster_study
import pytest
from cluster_study import Noted, ended, plan_of
from tiny_study import NoData, begun, determined, tiny_plan, undisturbed

import nextify.version
from nextify.designs import Run
from nextify.errors import InputError
from nextify.records import Record, Store
from nextify.studies import Interrupted, Summary, execute
from nextify.studies.running.clusters import cluster, crew_on
from nextify.studies.running.worker import OnProgress

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


class Nodes:
    """A head node, on which nothing is trained, and others of a core each."""

    def __init__(self) -> None:
        from ray.cluster_utils import Cluster

        self.all = Cluster()
        self.all.add_node(num_cpus=0, include_dashboard=False)
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


@pytest.fixture(scope="module")
def every_node(tmp_path_factory) -> Iterator[Nodes]:
    paths = [str(Path(__file__).parent), str(Path(__file__).parents[1]), *sys.path]
    variables = {
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
        "RAY_USAGE_STATS_ENABLED": "0",
        # A node that is gone is known to be after two seconds, not after half a minute.
        "RAY_health_check_initial_delay_ms": "500",
        "RAY_health_check_period_ms": "500",
        "RAY_health_check_timeout_ms": "1000",
        "RAY_health_check_failure_threshold": "3",
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        nodes = Nodes()
        yield nodes
        nodes.all.shutdown()


@pytest.fixture
def nodes(every_node) -> Nodes:
    every_node.at_least(2)
    return every_node


class Here:
    """A study in a folder of its own."""

    def __init__(self, folder: Path, address: str) -> None:
        self.study, self.log, self.address = folder / "study.db", folder / "log", address

    def execute(self, seeds: int = 2, seconds: float = 0.0, **options: Any) -> Summary:
        train = Noted(self.log, seconds, options.pop("mischief", {}))
        options = {"setup": NoData(), "train": train, **options}
        with cluster(self.address):
            crew = crew_on(self.address, self.study)
            return execute(plan_of(seeds), self.study, crew=crew, **options)

    def start(self, seeds: int, seconds: float) -> subprocess.Popen[str]:
        """The same by a process of its own."""
        words = [self.study, self.log, seconds, self.address, seeds]
        command = [sys.executable, cluster_study.__file__, *map(str, words)]
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    def is_whole(self, seeds: int) -> bool:
        return determined(self.study) == undisturbed(plan_of(seeds))


@pytest.fixture
def here(tmp_path, nodes) -> Here:
    return Here(tmp_path, nodes.address)


def working(here: Here) -> list[str]:
    """The ids of the nodes that there is something to be trained on."""
    with cluster(here.address):
        return [node["NodeID"] for node in ray.nodes() if node["Resources"].get("CPU")]


@dataclass(frozen=True)
class DiesAt(Noted):
    """Kills the worker that it is called by, on one node."""

    node: str = ""

    def __call__(self, run: Run, dataset: Any, on_progress: OnProgress) -> Record:
        if ray.get_runtime_context().get_node_id() == self.node:
            os.kill(os.getpid(), signal.SIGKILL)
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
    with cluster(here.address):
        assert len(left_over()) == 3  # two workers, and what they report to
        until(lambda: len(ended(here.log)) == before, "these ended, too")
    summary = here.execute(seeds=3)
    assert summary.finished + summary.recorded == 9 and here.is_whole(3)
    assert sorted(key for key, _ in begun(here.log)) == sorted(undisturbed(plan_of(3)))


def test_a_node_where_workers_die_again_and_again_is_given_up(here):
    """Its two runs are failures, as on one machine; the others do the rest."""
    bad = working(here)[0]
    summary = here.execute(seeds=3, train=DiesAt(here.log, 1.0, node=bad))
    assert (summary.finished, summary.failed) == (7, 2)
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


def test_images_that_a_node_has_not_are_sent(here):
    plan, setup = tiny_plan(), OnlyAt(process=os.getpid())
    summary = here.execute(setup=setup)
    assert summary.finished == len(plan.runs()) and here.is_whole(2)


def test_a_node_of_another_version_is_refused(here, monkeypatch):
    monkeypatch.setattr(nextify.version, "__version__", "9.9")
    with pytest.raises(InputError, match=r"node .* has nextify \S+ \(here: 9\.9\)"):
        here.execute()


def test_an_interrupt_leaves_the_cluster_as_it_was(here):
    def strike() -> None:
        until(lambda: len(begun(here.log)) >= 2, "runs began")
        signal.raise_signal(signal.SIGINT)

    with cluster(here.address):
        with meanwhile(strike), pytest.raises(Interrupted, match="of 60 runs are recorded"):
            here.execute(seeds=20, seconds=1.0)
        until(lambda: not left_over(), "all actors are gone")
        until(lambda: ray.available_resources().get("CPU") == 2, "their cores are free")
