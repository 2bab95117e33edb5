"""Costs against the papers' tables (tests/facts)."""

import csv
import subprocess
import sys
from pathlib import Path

import pytest

from nextify.costs import cost
from nextify.designs import FAMILIES, design, path

FACTS = Path(__file__).parents[1] / "facts"


def rows(name: str) -> list[dict[str, str]]:
    with (FACTS / name).open() as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("name", ["resnet50", "resnet200"])
def test_every_step_of_the_paper(name):
    facts = [row for row in rows(f"roadmap_{name}.csv") if row["gmacs_conv_linear"]]
    steps = [step for step in path(name).all_steps() if step.paper is not None]
    assert len(facts) == len(steps)
    for fact, step in zip(facts, steps, strict=True):
        assert f"{cost(step.design).macs / 1e9:.3f}" == fact["gmacs_conv_linear"], step.name
        assert step.paper is not None
        assert step.paper.accuracy == float(fact["imagenet_top1"]), step.name
        assert step.paper.gmacs == float(fact["gflops_printed"]), step.name
        assert step.paper.sd == (float(fact.get("top1_sd") or 0) or None), step.name


@pytest.mark.parametrize("name", ["resnet50", "resnet200"])
def test_exactly_the_two_shifted_cells_are_marked(name):
    """A step whose printed cost is not its count says so; no other step does."""
    for step in path(name).all_steps():
        if step.paper is None:
            continue
        agrees = abs(cost(step.design).macs / 1e9 - step.paper.gmacs) <= 0.00501
        assert agrees == (step.paper.note == ""), step.name


def test_ends_of_the_paths():
    assert cost(path("resnet50").start).params == 25_557_032
    assert cost(path("resnet50").end).params == 28_589_128
    assert cost(path("resnet200").start).params == 64_673_832
    assert cost(path("resnet200").end).params == 88_591_464


def test_families():
    facts = {row["name"]: row for row in rows("families.csv")}
    checked = 0
    for name in FAMILIES:
        if name not in facts:  # the ends of the small path
            continue
        c = cost(design(name), classes=int(facts[name]["classes"]))
        assert c.params == int(facts[name]["params"]), name
        if facts[name]["gmacs_224"]:
            # Some of the printed numbers are of a counter that counts more than MACs.
            printed = facts[name]["gmacs_224"]
            decimals = len(printed.partition(".")[2])
            within = max(0.015, 0.5 * 10**-decimals)
            assert c.macs / 1e9 == pytest.approx(float(printed), abs=within), name
        checked += 1
    assert checked == len(facts)


def test_parts_sum_to_the_whole():
    c = cost(design("convnext-tiny"))
    assert sum(s.params for s in c.sections) == sum(layer.params for layer in c.layers) == c.params
    assert sum(s.macs for s in c.sections) == sum(layer.macs for layer in c.layers) == c.macs
    assert c.flops == 2 * c.macs


def test_costs_need_no_torch():
    code = (
        "import sys, nextify as nx; nx.cost(nx.path('resnet50').end); "
        "import nextify.records, nextify.findings, nextify.report; "
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
