"""The pilot: what a plan will take, told in a time that is known before."""

from dataclasses import replace

import pytest

from nextify.designs import design, recipe
from nextify.errors import InputError
from nextify.studies import Network, plan_comparison, run_pilot
from nextify.studies.running import pilot


def plan_of(*macs, batch_size=16):
    """A plan whose cells say that they cost so much."""
    names = ("convnext-mini", "vit-mini", "swin-mini", "resnet-small")[: len(macs)]
    of = recipe("modern-small", epochs=1, warmup_epochs=0, batch_size=batch_size)
    networks = [
        Network(name=name, design=design(name), recipe_name="modern-small", recipe=of)
        for name in names
    ]
    data = {"name": "pets", "image_size": 32, "classes": 2, "train": 64, "test": 10,
            "fingerprint": "0"}  # fmt: skip
    plan = plan_comparison(networks, data=data, data_source="", seeds=(0,))
    cells = [replace(cell, macs=count) for cell, count in zip(plan.cells, macs, strict=True)]
    return replace(plan, cells=tuple(cells))


@pytest.fixture
def timed(monkeypatch):
    """What is timed, instead of timing it: a second for a run."""
    jobs = []

    def carried_out(setup, asked, processes):
        jobs.extend(asked)
        return [1.0] * len(asked)

    monkeypatch.setattr(pilot, "_carried_out", carried_out)
    return jobs


def test_what_two_images_of_take_too_long_is_not_timed(timed):
    assert run_pilot(plan_of(10**12, 10**12), None, workers=2) is None
    assert timed == []


def test_dear_networks_are_told_by_their_macs(timed):
    plan = plan_of(10**6, 2 * 10**6, 10**12)
    found = run_pilot(plan, None, workers=2)
    assert (found.cells, found.by_macs, len(timed)) == (2, 1, 2)
    seconds = [found.seconds[cell.name] for cell in plan.cells]
    assert seconds == [1.0, 1.0, 10**12 / (2 * 10**6)]


def test_what_is_done_before_a_machine_is_known_is_bounded(timed):
    macs = [10**6, 10**8, 10**9, 5 * 10**9]
    run_pilot(plan_of(*macs), None, workers=2)
    work = [3 * cell * effort.images for cell, (_, effort) in zip(macs, timed, strict=True)]
    assert sum(work) <= 2 * pilot._MOST_MACS["cpu"]
    assert sum(effort.seconds for _, effort in timed) <= 2 * pilot.MOST_SECONDS
    assert timed[0][1].images > 64 and timed[-1][1].images >= 2


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


def test_an_interrupt_ends_the_processes():
    from multiprocessing import active_children

    before = set(active_children())
    with pytest.raises(KeyboardInterrupt):
        run_pilot(plan_of(10**6, 10**6), Waiting(), workers=2)
    assert set(active_children()) <= before


def test_what_is_not_known_in_time_is_told_by_macs(monkeypatch):
    monkeypatch.setattr(pilot, "MOST_WAIT", 0.0)
    assert run_pilot(plan_of(10**6, 10**6), Waiting(), workers=1) is None
