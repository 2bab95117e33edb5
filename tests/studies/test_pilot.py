"""The pilot: what a plan will take, told in a time that is known before."""

from dataclasses import replace

import pytest

from nextify.designs import design, recipe
from nextify.errors import InputError
from nextify.records import Record
from nextify.studies import Done, Network, plan_comparison, run_pilot
from nextify.studies.running import pilot
from nextify.studies.running.messages import Died, Ready, Stopped


def plan_of(*macs, batch_size=16, accumulate=1):
    """A plan whose cells say that they cost so much."""
    names = ("convnext-mini", "vit-mini", "swin-mini", "resnet-small")[: len(macs)]
    of = recipe("modern-small", epochs=1, warmup_epochs=0, batch_size=batch_size,
                accumulate=accumulate)  # fmt: skip
    networks = [
        Network(name=name, design=design(name), recipe_name="modern-small", recipe=of)
        for name in names
    ]
    data = {"name": "pets", "image_size": 32, "classes": 2, "train": 64, "test": 10,
            "fingerprint": "0"}  # fmt: skip
    plan = plan_comparison(networks, data=data, data_source="", seeds=(0,))
    cells = [replace(cell, macs=count) for cell, count in zip(plan.cells, macs, strict=True)]
    return replace(plan, cells=tuple(cells))


class Stopwatch:
    """A crew whose every run takes a second. `timed`: what it was asked to time, and how far."""

    seats = 2

    def __init__(self):
        self.timed = []
        self.says = []

    def hire(self, seat, orders):
        self.allowances = orders.train.allowances
        self.says.append((seat, Ready({})))

    def give(self, seat, runs):
        (run,) = runs
        self.timed.append(self.allowances[run.key])
        record = Record(
            key=run.key, run=run.as_dict(), outcome="finished", environment={"seconds": 1.0}
        )
        self.says.append((seat, Done(record)))

    def listen(self, seconds):
        said, self.says = self.says, []
        yield from said

    def dismiss(self):
        pass


def test_what_two_images_of_take_too_long_is_not_timed():
    crew = Stopwatch()
    assert run_pilot(plan_of(10**12, 10**12), None, workers=2, crew=crew) is None
    assert crew.timed == []


def test_dear_networks_are_told_by_their_macs():
    crew = Stopwatch()
    plan = plan_of(10**6, 2 * 10**6, 10**12)
    found = run_pilot(plan, None, workers=2, crew=crew)
    assert (found.cells, found.by_macs, len(crew.timed)) == (2, 1, 2)
    seconds = [found.seconds[cell.name] for cell in plan.cells]
    assert seconds == [1.0, 1.0, 10**12 / (2 * 10**6)]


def test_what_is_done_before_a_machine_is_known_is_bounded():
    crew = Stopwatch()
    macs = [10**6, 10**8, 10**9, 5 * 10**9]
    run_pilot(plan_of(*macs), None, workers=2, crew=crew)
    work = [3 * cell * effort.images for cell, effort in zip(macs, crew.timed, strict=True)]
    assert sum(work) <= 2 * pilot._MOST_MACS["cpu"]
    assert sum(effort.seconds for effort in crew.timed) <= 2 * pilot.MOST_SECONDS
    assert crew.timed[0].images > 64 and crew.timed[-1].images >= 2


class Cards(Stopwatch):
    """As a stopwatch, with a card a seat, of which some are broken: `how` they say it."""

    def __init__(self, *broken, how=(), seats=2):
        super().__init__()
        self.broken, self.how, self.seats = broken, how, seats

    def place(self, seat):
        return f"GPU {seat}"

    def give(self, seat, runs):
        if seat not in self.broken:
            super().give(seat, runs)
            return
        record = Record(key=runs[0].key, run=runs[0].as_dict(), outcome="failed", message=LOST)
        self.says += [(seat, Done(record))] * ("failed" in self.how) + [(seat, Died(LOST))]


LOST = "RuntimeError: CUDA error: an illegal memory access was encountered"


@pytest.mark.parametrize("how", [(), ("failed",)])
def test_what_a_broken_card_was_at_another_one_times(how):
    plan = plan_of(10**6, 2 * 10**6, 3 * 10**6)
    found = run_pilot(plan, None, workers=2, crew=Cards(1, how=how))
    assert (found.cells, found.by_macs) == (3, 0)


def test_a_card_that_is_lost_last_has_its_run_timed_by_who_is_done():
    class Late(Cards):
        def listen(self, seconds):
            self.says.sort(key=lambda said: isinstance(said[1], Died))
            yield self.says.pop(0)

    found = run_pilot(plan_of(10**6, 2 * 10**6), None, workers=2, crew=Late(1))
    assert (found.cells, found.by_macs) == (2, 0)


@pytest.mark.parametrize("how", [(), ("failed",)])
def test_without_a_card_that_is_left_the_pilot_says_why(how):
    with pytest.raises(InputError, match=r"a GPU failed .*CUDA error.*CUDA_VISIBLE_DEVICES.*--no-"):
        run_pilot(plan_of(10**6, 10**6), None, workers=2, crew=Cards(0, 1, how=how))


class Nodes(Stopwatch):
    """As a stopwatch, with a node a seat, of which some are refused at their start."""

    def __init__(self, *refused, seats=3):
        super().__init__()
        self.refused, self.seats = refused, seats

    def place(self, seat):
        return f"node {seat}"

    def hire(self, seat, orders):
        super().hire(seat, orders)
        if seat in self.refused:
            self.says[-1] = (seat, Stopped("node B has nextify 0.9 (here: 1.0); install the same"))


def test_a_node_that_is_refused_leaves_the_timing_to_the_others():
    plan = plan_of(10**6, 2 * 10**6, 3 * 10**6)
    assert run_pilot(plan, None, workers=3, crew=Nodes(0, 2)).cells == 3
    with pytest.raises(InputError, match="node B has nextify"):
        run_pilot(plan, None, workers=3, crew=Nodes(0, 1, 2))


def test_what_kills_one_worker_of_a_place_is_want_of_memory_there():
    crew = Cards(1)
    crew.place = lambda seat: "the processor"
    crew.give = lambda seat, runs: crew.says.append((seat, Died("its process was killed")))
    with pytest.raises(InputError, match="died, most likely for want of memory"):
        run_pilot(plan_of(10**6, 10**6), None, workers=2, crew=crew)


def test_without_a_machine_that_is_left_macs_tell():
    crew = Cards()
    crew.give = lambda seat, runs: crew.says.append((seat, Died("gone", with_machine=True)))
    assert run_pilot(plan_of(10**6, 10**6), None, workers=2, crew=crew) is None


def test_a_part_of_a_batch_is_at_least_two_images_for_each_of_its_own_parts():
    crew = Stopwatch()
    macs = int(pilot._MOST_MACS["cpu"] / (3 * 7))  # seven images
    assert run_pilot(plan_of(macs), None, workers=1, crew=crew) is not None
    assert run_pilot(plan_of(macs, accumulate=4), None, workers=1, crew=crew) is None


class Killed:
    """Data on whose loading the process dies."""

    def load(self):
        import os

        os._exit(1)


class Waiting:
    """Data that interrupts the process that waits for it."""

    def load(self):
        import os
        import signal
        import time

        os.kill(os.getppid(), signal.SIGINT)
        time.sleep(3600)


def test_a_process_that_dies_is_no_traceback():
    with pytest.raises(InputError, match="died, most likely for want of memory"):
        run_pilot(plan_of(10**6), Killed(), workers=1)


class Nothing:
    """No data, of which no step can be timed."""

    def load(self):
        return self

    def identity(self):
        return plan_of(10**6).data

    def environment(self):
        return {}


def test_a_step_that_fails_is_one_line():
    words = "timing a training step failed .AttributeError: .*choose narrower designs"
    with pytest.raises(InputError, match=words):
        run_pilot(plan_of(10**6), Nothing(), workers=1)


@pytest.mark.usefixtures("hears_interrupts")
def test_an_interrupt_ends_the_processes():
    from multiprocessing import active_children

    before = set(active_children())
    with pytest.raises(KeyboardInterrupt):
        run_pilot(plan_of(10**6, 10**6), Waiting(), workers=2)
    assert set(active_children()) <= before


def test_what_is_not_known_in_time_is_told_by_macs(monkeypatch):
    monkeypatch.setattr(pilot, "MOST_WAIT", 0.0)
    assert run_pilot(plan_of(10**6, 10**6), Waiting(), workers=1) is None
