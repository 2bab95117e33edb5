"""Any crew will do: the supervisor knows what `Crew` promises, and nothing else."""

import threading
from collections.abc import Iterator
from contextlib import suppress
from queue import Empty, Queue

import pytest
from tiny_study import NoData, determined, tiny_plan, tiny_record

from nextify.designs import Run
from nextify.errors import InputError
from nextify.studies import Crew, Done, Interrupted, Snapshot, Summary, execute
from nextify.studies.running.messages import Began, Died, Epoch, Message, Ready, Stopped
from nextify.studies.running.worker import Orders, work


def trained(run: Run, dataset: NoData, on_progress) -> Done:
    on_progress(1, 2)
    return Done(tiny_record(run), {"name": run.key.encode()})


class Threads:
    """A crew as its module sketches one, of threads."""

    def __init__(self, seats: int) -> None:
        self.seats = seats
        self.said: Queue[tuple[int, Message]] = Queue()
        self.runs: dict[int, Queue[tuple[Run, ...] | None]] = {}

    def hire(self, seat: int, orders: Orders) -> None:
        self.runs[seat] = Queue()
        runs = iter(self.runs[seat].get, None)
        life = (orders, runs, lambda message: self.said.put((seat, message)))
        threading.Thread(target=work, args=life, daemon=True).start()

    def give(self, seat: int, runs: tuple[Run, ...]) -> None:
        self.runs[seat].put(runs)

    def place(self, seat: int) -> str:
        return "here"

    def listen(self, seconds: float) -> Iterator[tuple[int, Message]]:
        with suppress(Empty):
            yield self.said.get(timeout=seconds)

    def dismiss(self) -> None:
        for runs in self.runs.values():
            runs.put(None)


class Scripted:
    """A crew in memory. When all that can have got a run, the one that got its last answers first.

    Attributes:
        mute: seats whose workers never say anything.
        dies: by seed, what the first worker that gets such a run says before it dies.
        places: of its seats, in turn.
        hired, given, together, dismissed: what was asked of it.
    """

    def __init__(self, seats: int, mute: tuple[int, ...] = (), **dies: tuple[Message, ...]) -> None:
        self.seats, self.mute, self.dies = seats, mute, dies
        self.places = ("here",)
        self.hired: list[int] = []
        self.given: list[tuple[int, Run]] = []
        self.together: list[tuple[Run, ...]] = []
        self.dismissed = False
        self.says: list[tuple[int, Message]] = []
        self.busy: list[tuple[int, tuple[Run, ...]]] = []

    def hire(self, seat: int, orders: Orders) -> None:
        self.hired.append(seat)
        if seat not in self.mute:
            self.says.append((seat, Ready({"seat": seat})))

    def place(self, seat: int) -> str:
        return self.places[seat % len(self.places)]

    def give(self, seat: int, runs: tuple[Run, ...]) -> None:
        self.given += [(seat, run) for run in runs]
        self.together.append(runs)
        self.busy.append((seat, runs))

    def listen(self, seconds: float) -> Iterator[tuple[int, Message]]:
        if not self.says and self.busy:
            seat, runs = self.busy.pop()
            last = self.dies.pop(f"seed{runs[0].seed}", None)
            done = (Began(), Epoch(2, 2), *(Done(tiny_record(run)) for run in runs))
            answer = done if last is None else (*last, Died("its machine is gone"))
            self.says.extend((seat, message) for message in answer)
        said, self.says = self.says, []
        yield from said

    def dismiss(self) -> None:
        self.dismissed = True


@pytest.fixture
def study(tmp_path):
    return tmp_path / "study.db"


def carried_out(study, crew: Crew, **options) -> Summary:
    return execute(tiny_plan(), study, NoData(), train=trained, crew=crew, **options)


def expected() -> set[str]:
    return {run.key for run in tiny_plan().runs()}


def test_a_crew_of_threads(study):
    assert carried_out(study, Threads(3)).finished == 6
    assert set(determined(study)) == expected()
    kept = study.with_name("study.db.artefacts")
    assert {file.parent.name: file.read_text() for file in kept.glob("*/name")} == {
        key: key for key in expected()
    }


def test_records_that_come_back_out_of_order(study):
    crew = Scripted(3)
    assert carried_out(study, crew).finished == 6
    assert {run.key for _, run in crew.given} == set(determined(study)) == expected()
    assert list(determined(study)) != [run.key for run in tiny_plan().runs()]
    assert crew.dismissed


def test_a_worker_that_dies_has_its_run_failed_and_its_seat_filled(study):
    crew = Scripted(2, seed1=(Began(), Epoch(1, 2)))
    summary = carried_out(study, crew)
    assert [failure.message for failure in summary.failures] == ["its machine is gone"]
    assert (summary.finished, summary.failed) == (5, 1)
    assert len(crew.hired) == 3


def test_a_worker_that_dies_before_it_began_costs_nothing(study):
    crew = Scripted(2, seed1=())
    assert carried_out(study, crew).finished == 6
    assert (len(crew.given), len(crew.hired)) == (7, 3)


def test_a_worker_that_cannot_go_on_ends_the_study(study):
    crew = Scripted(2, seed1=(Began(), Stopped("KeyError: 'oops'", "Traceback ...")))
    with pytest.raises(RuntimeError, match="a worker stopped: KeyError: 'oops'\nTraceback"):
        carried_out(study, crew)
    assert crew.dismissed


def test_a_worker_that_never_answers_is_done_without(study):
    crew = Scripted(2, mute=(1,))
    assert carried_out(study, crew).finished == 6
    assert {seat for seat, _ in crew.given} == {0} and crew.dismissed


class presses_ctrl_c:
    """A progress that does, after so many looks."""

    def __enter__(self):
        self.seen: list[Snapshot] = []
        return self.show

    def __exit__(self, *_) -> None:
        pass

    def show(self, snapshot: Snapshot) -> None:
        self.seen.append(snapshot)
        if len(self.seen) == 3:
            raise KeyboardInterrupt


def test_where_nobody_ever_answers_one_can_still_stop(study):
    crew, shown = Scripted(1, mute=(0,)), presses_ctrl_c()
    with pytest.raises(Interrupted, match="0 of 6"):
        carried_out(study, crew, progress=shown)
    assert all(seat.loading for seat in shown.seen[-1].seats) and crew.dismissed


def test_a_crew_that_nobody_can_be_hired_for(study, monkeypatch):
    def hire(seat: int, orders: Orders) -> None:
        raise InputError("the cluster is closed")

    crew = Scripted(1)
    monkeypatch.setattr(crew, "hire", hire)
    with pytest.raises(InputError, match="the cluster is closed"):
        carried_out(study, crew)


class Ghosts(Scripted):
    """A crew some of whose workers a supervisor that is gone has left at work.

    Attributes:
        left: by seat, the keys of what they are at, and what they say besides.
    """

    def __init__(self, seats: int, left: dict[int, tuple[tuple[str, ...], list[Message]]]) -> None:
        super().__init__(seats)
        for seat, (keys, more) in left.items():
            self.says += [(seat, said) for said in (Ready({}, keys), Began(), *more)]


def test_workers_that_a_supervisor_before_has_left_go_on(study):
    runs = tiny_plan().runs()
    crew = Ghosts(2, {0: ((runs[3].key,), [Done(tiny_record(runs[3]))])})
    assert carried_out(study, crew).finished == 6
    assert crew.hired == [1]
    assert runs[3] not in [run for _, run in crew.given] and len(crew.given) == 5
    assert set(determined(study)) == expected()


def test_what_they_were_at_and_is_recorded_is_not_recorded_again(study):
    runs = tiny_plan().runs()
    first = Scripted(1)
    execute(tiny_plan(seeds=(0,)), study, NoData(), train=trained, crew=first)
    there = {run.key for _, run in first.given}
    known = next(run for run in runs if run.key in there)
    other = next(run for run in runs if run.key not in there)
    left = ((known.key, other.key), [Done(tiny_record(run)) for run in (known, other)])
    summary = carried_out(study, Ghosts(1, {0: left}))
    assert (summary.recorded, summary.finished, summary.elsewhere) == (3, 3, 0)


def test_what_is_of_no_plan_any_more_is_let_be(study):
    strange = tiny_plan(seeds=(7,)).runs()[0]
    crew = Ghosts(1, {0: ((strange.key,), [Done(tiny_record(strange))])})
    assert carried_out(study, crew).finished == 6
    assert set(determined(study)) == expected()


class Shrinking(Scripted):
    """Seats on machines, of which the first one is lost with the run that it is at."""

    def __init__(self, seats: int) -> None:
        super().__init__(seats)
        self.lost = False

    def place(self, seat: int) -> str:
        return "" if self.lost and seat == 0 else f"machine {seat}"

    def listen(self, seconds: float) -> Iterator[tuple[int, Message]]:
        for at, (seat, _) in enumerate(self.busy):
            if seat == 0:
                del self.busy[at]
                self.lost, self.seats = True, self.seats + 1  # and another one joins
                yield seat, Began()
                yield seat, Died("gone", with_machine=True)
                return
        yield from super().listen(seconds)


def test_a_machine_that_is_gone_costs_no_run_and_one_that_joins_gets_work(study):
    crew = Shrinking(2)
    summary = carried_out(study, crew)
    assert (summary.finished, summary.failed, summary.losses) == (6, 0, ())
    assert crew.hired == [0, 1, 2] and len(crew.given) == 7


def test_where_all_machines_are_gone_it_waits_for_others(study):
    crew = Shrinking(1)
    assert carried_out(study, crew).finished == 6
    assert crew.hired == [0, 1]
