"""Runs that are trained in stacks: their keys, how many, who trains them, what a kill leaves."""

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from test_crew import Scripted, Threads
from tiny_study import DATA, NoData, determined, tiny_plan, tiny_record

from nextify.designs import Run, design
from nextify.errors import InputError
from nextify.records import Plan, Store
from nextify.records.history import plan_hash
from nextify.records.plan import plan_from_dict
from nextify.studies import Snapshot, Summary, execute
from nextify.studies.kinds.kind import Stacks, stacks_for
from nextify.studies.running.cards import suited_copies, suited_workers
from nextify.studies.running.jobs import jobs_of, stacks_of
from nextify.studies.running.locks import RunLocks
from nextify.studies.running.messages import Began, Died, Done, Message, Ready, Stopped
from nextify.studies.running.summary import Loss
from nextify.studies.running.worker import Orders, work
from nextify.training.loop import train


def stacked_plan(copies: int, seeds: tuple[int, ...], steps: int = 1) -> Plan:
    return replace(tiny_plan(steps, seeds), copies=copies)


def a_run(**changes) -> Run:
    plan = tiny_plan()
    return replace(plan.run(plan.cells[0], 0), **changes)


def test_copies_are_in_the_key_only_where_there_are_several():
    alone, one = a_run(seed=5), a_run(seed=5, copies=4)
    assert "copies" not in alone.as_dict() and one.as_dict()["copies"] == 4
    assert alone.key != one.key
    assert [run.seed for run in one.stack] == [4, 5, 6, 7] and one.stack[1] == one
    assert alone.stack == (alone,)
    with pytest.raises(InputError, match="copies is 0; it must be at least 1"):
        a_run(copies=0)


def test_one_of_a_stack_is_not_trained_alone():
    with pytest.raises(InputError, match="one of 2 that are trained in a stack"):
        train(a_run(copies=2, data=_identity()), _images())


def _images():
    from nextify.data import load

    return load("embedded", train_limit=200)


def _identity():
    return _images().identity()


def test_a_plan_says_its_copies_only_where_there_are_several():
    plan, two = tiny_plan(), stacked_plan(2, (0, 1))
    assert "copies" not in plan.as_dict() and plan_from_dict(plan.as_dict()).copies == 1
    assert plan_from_dict(two.as_dict()).copies == 2
    assert plan_hash(two) != plan_hash(replace(two, copies=1)) == plan_hash(tiny_plan(1, (0, 1)))
    assert {run.copies for run in two.runs()} == {2}


def test_what_cannot_be_stacked_is_trained_alone():
    plan = stacked_plan(2, (0, 1))
    vit = replace(plan.cells[0], design=design("vit-mini"))
    drawn = replace(plan.cells[0], images=500)
    for cell in (vit, drawn):
        assert plan.run(cell, 0).copies == 1
        assert suited_copies([cell], (0, 1), most=8) == 1


@pytest.mark.parametrize(
    ("seeds", "most", "copies"),
    [
        (range(1), 8, 1),
        (range(2), 8, 2),
        (range(2), 1, 1),
        (range(5), 8, 5),
        (range(10), 8, 5),  # two stacks of five, none for nothing
        (range(11), 8, 6),
        (range(4), 3, 2),
        (range(5, 10), 8, 5),
        (range(1, 3), 8, 1),  # these two are of two blocks: nothing is gained
    ],
)
def test_copies_suit_the_seeds(seeds, most, copies):
    assert suited_copies(tiny_plan().cells, seeds, most) == copies


def test_what_fills_a_gpu_is_alone_on_it():
    """By the work of a training step: ConvNeXt-T at 224 pixels, and small networks."""
    plan = tiny_plan(1, tuple(range(8)))
    cells = [replace(plan.cells[0], macs=macs) for macs in (10**7, 2 * 10**8, 45 * 10**8)]
    assert [suited_copies([cell], plan.seeds, 8) for cell in cells] == [8, 3, 1]
    workers = [suited_workers(replace(plan, cells=(cell,)), ("0",)) for cell in cells]
    assert workers == [min(4, _cores()), min(3, _cores()), 1]


def _cores() -> int:
    from nextify.machine import cores

    return cores()


@pytest.mark.parametrize(
    ("cores", "devices", "memory", "workers"),
    [
        (16, 0, None, 16),
        (16, 1, None, 4),
        (3, 1, None, 3),
        (16, 8, None, 16),
        (4, 8, None, 8),
        (16, 2, 10**6, 2),  # it does not fit, and one has to try
        (16, 2, 80 * 10**9, 8),
    ],
)
def test_workers_suit_the_gpus_and_the_cores(monkeypatch, cores, devices, memory, workers):
    monkeypatch.setattr("nextify.studies.running.cards.cores", lambda: cores)
    assert suited_workers(tiny_plan(), tuple(map(str, range(devices))), memory) == workers


def test_a_new_plan_is_stacked_on_a_gpu_and_one_that_goes_on_as_it_was():
    images, streamed = SimpleNamespace(is_streamed=False), SimpleNamespace(is_streamed=True)
    two, alone = stacked_plan(2, (0, 1)), tiny_plan()
    assert stacks_for(None, "cpu", images, None) == Stacks(1)
    assert stacks_for(None, "cuda", images, None) == Stacks(8)
    assert stacks_for(None, "cuda", streamed, None) == Stacks(1)
    assert stacks_for(4, "cpu", images, None) == Stacks(4)
    assert stacks_for(None, "cpu", images, two).of(two.cells, range(7)) == 2
    assert stacks_for(8, "cuda", images, two).of(two.cells, range(7)) == 2
    assert stacks_for(None, "cuda", images, alone).of(alone.cells, (0, 1)) == 1
    assert stacks_for(1, "cuda", images, two).of(two.cells, (0, 1)) == 1  # which is refused


@pytest.fixture
def study(tmp_path) -> Path:
    return tmp_path / "study.db"


def test_other_copies_are_another_study(study):
    carried_out(study, stacked_plan(2, (0, 1)), Scripted(1))
    with pytest.raises(InputError, match=r"in a stack \(--copies\) is 2 there and 1 here"):
        carried_out(study, tiny_plan(1, (0, 1)), Scripted(1))


def carried_out(study: Path, plan: Plan, crew, **options) -> Summary:
    return execute(plan, study, NoData(), crew=crew, **options)


def given(crew: Scripted) -> list[list[int]]:
    """The seeds that came together, in turn."""
    return [[run.seed for run in runs] for runs in crew.together]


def test_a_stack_is_given_whole_and_recorded_run_by_run(study):
    crew, plan = Scripted(2), stacked_plan(2, (0, 1, 2))
    summary = carried_out(study, plan, crew)
    assert sorted(given(crew)) == [[0, 1], [2]]
    assert (summary.planned, summary.finished) == (3, 3)
    assert {record.seed for record in determined(study).values()} == {0, 1, 2}
    assert set(determined(study)) == {run.key for run in plan.runs()}


def test_labels_and_work_of_a_stack():
    stacks = stacks_of(jobs_of(stacked_plan(2, (0, 1, 2))).values())
    assert [stack.label for stack in stacks] == ["small ResNet, seeds 0 and 1",
                                                 "small ResNet, seed 2"]  # fmt: skip
    assert [stack.work for stack in stacks] == [2 * stacks[0].jobs[0].work] * 2


def test_a_worker_that_dies_in_a_stack_takes_what_was_not_recorded(study):
    plan = stacked_plan(4, (0, 1, 2, 3))
    first = tiny_record(plan.runs()[0])
    crew = Scripted(1, seed0=(Began(), Done(first)))
    summary = carried_out(study, plan, crew)
    assert (summary.finished, summary.failed) == (1, 3)
    assert {each.seed for each in summary.failures} == {1, 2, 3}
    again = Scripted(1)
    summary = carried_out(study, plan, again, retry_failed=True)
    assert given(again) == [[1, 2, 3]] and (summary.recorded, summary.finished) == (1, 3)


def test_a_worker_that_dies_before_a_stack_began_costs_nothing(study):
    crew = Scripted(1, seed0=())
    assert carried_out(study, stacked_plan(2, (0, 1)), crew).finished == 2
    assert given(crew) == [[0, 1], [0, 1]]


def test_a_stack_of_which_another_process_has_a_run_waits_whole(study):
    plan = stacked_plan(2, (0, 1, 2, 3))
    locks, waits = RunLocks(study), list[int]()
    assert locks.claim(plan.runs()[1].key)

    class Showing:
        def __enter__(self):
            return self.show

        def __exit__(self, *_) -> None:
            pass

        def show(self, snapshot: Snapshot) -> None:
            if snapshot.waiting and snapshot.done == 2:
                waits.append(snapshot.waiting)
                locks.release(plan.runs()[1].key)

    crew = Scripted(1)
    assert carried_out(study, plan, crew, progress=Showing()).finished == 4
    locks.close()
    assert waits[0] == 2 and given(crew) == [[2, 3], [0, 1]]


@pytest.fixture
def trained_whole(monkeypatch) -> list[list[int]]:
    """Seeds of the stacks that `nextify.training.stacked` was asked to train."""
    seen: list[list[int]] = []

    def fake(runs, dataset, settings):
        seen.append([run.seed for run in runs])
        network = SimpleNamespace(use_generator=lambda generator: None)
        return [(tiny_record(run), network) for run in runs]

    module = SimpleNamespace(train_stack=fake)
    monkeypatch.setitem(sys.modules, "nextify.training.stacked", module)
    monkeypatch.setattr("nextify.training.loop.told_by_epoch", lambda dataset, told: None)
    return seen


def test_seeds_may_be_asked_for_in_any_order(study, trained_whole):
    assert carried_out(study, stacked_plan(2, (1, 0)), Threads(1)).finished == 2
    with Store.open(study, create=False) as store:
        assert [record.seed for record in store.records()] == [1, 0]


def test_of_a_block_all_is_trained_and_what_is_wanted_recorded(study, trained_whole):
    """So that the bits of a run depend on its key alone: also after a kill, and with more seeds."""
    carried_out(study, stacked_plan(4, (0, 1)), Threads(1))
    carried_out(study, stacked_plan(4, (0, 1, 2)), Threads(1))
    carried_out(study, stacked_plan(4, (0, 1, 2, 5)), Threads(1))
    assert trained_whole == [[0, 1, 2, 3], [0, 1, 2, 3], [4, 5, 6, 7]]
    with Store.open(study) as store:
        assert [record.seed for record in store.records()] == [0, 1, 2, 5]


def test_probes_and_weights_of_a_stack_are_each_copys_own(monkeypatch, trained_whole):
    from nextify.studies.running import probed

    said = []
    monkeypatch.setattr(probed, "measured", lambda network, run, *_: said.append(run.seed) or ())
    runs = a_run(copies=4).stack[1:3]
    found = probed.TrainProbed(("shift",)).stack(runs, None, lambda *_: None)
    assert [done.record.key for done in found] == [run.key for run in runs]
    assert said == [1, 2] and trained_whole == [[0, 1, 2, 3]]


def test_without_a_trainer_of_stacks_runs_are_trained_one_by_one():
    runs = a_run(copies=2).stack
    orders = Orders(NoData(), lambda run, *_: tiny_record(run))
    assert [record.key for record in orders.trained(runs, None, lambda *_: None)] == [
        run.key for run in runs
    ]


def life(orders: Orders, *stacks: tuple[Run, ...]) -> list[Message]:
    """All that a worker says."""
    said: list[Message] = []
    work(orders, iter(stacks), said.append)
    return said


class Bad(NoData):
    """A machine whose GPU is out of order, or has no memory left."""

    def environment(self):
        raise RuntimeError(self.said)


CUDA = "CUDA error: an illegal memory access was encountered"
MEMORY = "CUDA out of memory. Tried to allocate 20 GiB"


def test_a_worker_ends_with_its_gpu():
    """All runs of the stack have failed, and what it would be given next goes to others."""
    runs = a_run(copies=2).stack

    def broken(runs, *_):
        raise RuntimeError(CUDA)

    orders = Orders(NoData(), None, DATA, broken)
    ready, began, one, two, died = life(orders, runs, runs)
    assert (ready, began) == (Ready({"device": "none"}), Began())
    assert [done.record.message for done in (one, two)] == [f"RuntimeError: {CUDA}"] * 2
    assert died == Died(f"RuntimeError: {CUDA}") and "traceback" in two.record.environment


def test_want_of_memory_costs_the_runs_and_not_the_worker():
    runs = a_run(copies=2).stack

    def greedy(runs, *_):
        raise RuntimeError(MEMORY)

    said = life(Orders(NoData(), None, DATA, greedy), runs, runs)
    assert [type(each) for each in said] == [Ready, *[Began, Done, Done] * 2]


@pytest.mark.parametrize(("text", "kind"), [(CUDA, Died), (MEMORY, Died), ("a bug", Stopped)])
def test_a_gpu_that_fails_at_the_start_is_the_workers_alone(text, kind):
    (said,) = life(Orders(replace_said(Bad(), text), None, DATA))
    assert type(said) is kind


def replace_said(setup: Bad, text: str) -> Bad:
    object.__setattr__(setup, "said", text)
    object.__setattr__(setup, "identity", lambda: DATA)
    return setup


class Cards(Scripted):
    """Workers on two GPUs, of which the first one is out of order.

    Attributes:
        at_start: they die before they are ready; else in their first run.
    """

    def __init__(self, seats: int, at_start: bool) -> None:
        super().__init__(seats)
        self.places, self.at_start = ("GPU 0", "GPU 1"), at_start

    def hire(self, seat, orders) -> None:
        super().hire(seat, orders)
        if seat % 2 == 0 and self.at_start:
            self.says[-1] = (seat, Died("CUDA error: busy"))

    def listen(self, seconds: float) -> Iterator[tuple[int, Message]]:
        for seat, runs in [each for each in self.busy if each[0] % 2 == 0]:
            self.busy.remove((seat, runs))
            yield seat, Began()
            yield seat, Died("CUDA error: lost")
        yield from super().listen(seconds)


@pytest.mark.parametrize(("seats", "failed"), [(2, 2), (4, 3)])  # there is one more at work then
def test_a_card_that_fails_takes_its_runs_only_and_is_given_up(study, seats, failed):
    crew = Cards(seats, at_start=False)
    summary = carried_out(study, tiny_plan(1, tuple(range(8))), crew)
    assert (summary.finished, summary.failed) == (8 - failed, failed)
    assert {each.message for each in summary.failures} == {"CUDA error: lost"}
    assert summary.losses == (Loss("GPU 0", "CUDA error: lost"),)


def test_a_card_that_cannot_start_leaves_the_work_to_the_others(study):
    crew = Cards(4, at_start=True)
    summary = carried_out(study, tiny_plan(1, (0, 1, 2)), crew)
    assert (summary.finished, summary.failed) == (3, 0)
    assert summary.losses == (Loss("GPU 0", "CUDA error: busy"),) and crew.hired == [0, 1, 2, 3]


def test_the_last_card_is_not_given_up(study):
    deaths = {f"seed{seed}": (Began(),) for seed in range(3)}
    summary = carried_out(study, tiny_plan(1, (0, 1, 2, 3)), Scripted(1, **deaths))
    assert (summary.finished, summary.failed, summary.losses) == (1, 3, ())
