"""A latency as a budget, on machines whose latencies are known."""

import random

import pytest

import nextify as nx
from fitting.random_search import holds
from nextify.costs import totals
from nextify.costs.spread import Spread
from nextify.fitting.space import Space


class Machine:
    """Takes a time that is no line in what is counted, and a little noise."""

    def __init__(self, noise: float = 0.0, scale: float = 1.0) -> None:
        self.draw, self.noise, self.scale = random.Random(0), noise, scale
        self.asked = 0

    def __call__(self, designs, image_size, classes):
        self.asked += len(designs)
        return [self._measured(one, image_size, classes) for one in designs]

    def true(self, design, image_size=64, classes=10) -> float:
        counted = totals(design, image_size, classes)
        narrow = 1 + 20 / min(design.widths)  # narrow networks use a processor badly
        seconds = 3e-11 * counted.macs * narrow + 2e-10 * counted.training_bytes
        return self.scale * (seconds + 4e-5 * sum(design.depths) + 2e-4)

    def _measured(self, design, image_size, classes) -> Spread:
        seconds = self.true(design, image_size, classes) * self.draw.gauss(1, self.noise)
        return Spread(seconds, 0.98 * seconds, 1.02 * seconds, 9)


OPTIONS = {"image_size": 64, "classes": 10}


@pytest.mark.parametrize("allowed", ["2ms", "5ms", 0.02, "200ms"])
def test_the_latency_is_kept_and_used(allowed):
    machine = Machine()
    found = nx.fit(latency=allowed, measure=machine, **OPTIONS)
    seconds = allowed if isinstance(allowed, float) else float(allowed[:-2]) / 1000
    for one in found:
        assert one.latency.median == machine.true(one.design) <= seconds
        assert one.use == {"latency": one.latency.median / seconds}
        assert holds(Space(4), one.design.depths, one.design.widths)
    assert found[0].use["latency"] > 0.95 and found[0].binds == ("latency",)
    assert len({one.design for one in found}) == len(found)
    assert machine.asked < 80


def test_with_noise_what_is_returned_was_measured_within():
    machine = Machine(noise=0.05)
    found = nx.fit(latency="10ms", measure=machine, **OPTIONS)
    assert found and all(one.latency.median <= 0.01 for one in found)
    assert all(machine.true(one.design) < 0.0125 for one in found)


def test_beside_other_budgets():
    machine = Machine()
    found = nx.fit(params="2M", macs="100M", latency="10ms", measure=machine, **OPTIONS)
    for one in found:
        assert one.params <= 2_000_000 and one.macs <= 100_000_000
        assert machine.true(one.design) <= 0.01
        assert set(one.use) == {"params", "macs", "latency"}
    fast = nx.fit(params="2M", latency="10s", measure=machine, **OPTIONS)
    assert fast[0].binds == () or "latency" not in fast[0].binds


def test_free_fields_and_multiples():
    free = {"free": ("kernel_size",), "multiple_of": 8}
    found = nx.fit(latency="10ms", measure=Machine(), **free, **OPTIONS)
    assert all(width % 8 == 0 for one in found for width in one.design.widths)
    assert found[0].use["latency"] > 0.9


def test_a_machine_for_which_widths_do_not_matter():
    def measure(designs, image_size, classes):
        return [Spread(0.001 * sum(one.depths), 0.0, 1.0, 9) for one in designs]

    found = nx.fit(params="1M", latency="20ms", measure=measure, **OPTIONS)
    assert found and all(sum(one.design.depths) <= 20 for one in found)


def test_an_impossible_latency_says_what_was_measured():
    machine = Machine(scale=100)
    smallest = nx.design("convnext-tiny", depths=(1, 1, 2, 1), widths=(8, 12, 18, 27))
    said = rf"the smallest possible, .* was measured to take {1e3 * machine.true(smallest):.3g} ms"
    with pytest.raises(nx.InputError, match=said):
        nx.fit(latency="1ms", measure=machine, **OPTIONS)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"latency": "20"}, "give a time with its unit"),
        ({"latency": "0ms"}, "from 1us"),
        ({"latency": -1.0, "measure": Machine()}, "latency is -1.0"),
        ({"latency": True}, "latency is True"),
        ({"latency": "20ms"}, "measure=nextify.measure_latency"),
    ],
)
def test_what_is_no_latency(wrong, said):
    with pytest.raises(nx.InputError, match=said):
        nx.fit(**wrong)
