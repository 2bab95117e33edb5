"""`nextify attribute`: its table, its files, what it refuses."""

import json
import shlex
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from nextify.designs import default_factors, path
from nextify.records import Measurement, Plan, Record, Store
from report import fake, fake_comparison, fake_experiment


def saved(name: str, plan: Plan, records: list[Record]) -> None:
    with Store.open(name) as store:
        store.save_plan(plan)
        for record in records:
            store.add(record)


FACTORS = default_factors(path("small"))[:3]


@pytest.fixture
def study(own_folder: Path) -> Plan:
    """All subsets of three factors; the first helps, the second hurts, the third does nothing."""
    plan = fake_experiment.plan("full", 3, factors=FACTORS)
    saved("a.study", plan, fake_experiment.whole(plan, truth=(0.02, -0.02, 0.0), pairs={}))
    return plan


def test_the_table(study, nextify):
    answer = nextify("attribute", "a.study")
    assert answer.code == 0
    lines = answer.out.splitlines()
    row = {line.split("  ")[0]: line for line in lines if line.startswith(("stage", "patch"))}
    assert row["stage ratio"].endswith("  helps") and row["patchify stem"].endswith("  hurts")
    assert "no effect larger than" in answer.out and "gap: All factors together" in answer.out
    assert lines[-1] == "report: a-report/report.html" and Path("a-report/report.html").exists()
    following = [line for line in lines if line.startswith("  nextify study")]
    assert shlex.split(following[0])[-2:] == ["--file", "a.study"]


@pytest.mark.parametrize("option", ["--score", "--metric"])  # what it was called before
def test_json_and_score(study, nextify, option):
    answer = nextify("attribute", "a.study", option, "nll", "--json")
    values = json.loads(answer.out)
    found = values["studies"][0]["attribution"]["nll"]["contributions"]
    assert [each["answer"] for each in found] == ["helps", "hurts", "not resolved"]
    assert found[0]["estimate"]["value"] < 0  # less is better
    assert values["report"] == "a-nll-report/report.html" and values["metric"] == "nll"


def test_crosscheck_adds_what_others_say_or_says_why_not(study, nextify, monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    monkeypatch.setitem(sys.modules, "shapiq", None)
    answer = nextify("attribute", "a.study", "--crosscheck", "--json")
    assert answer.code == 0 and json.loads(answer.out)["crosscheck"] == [{}]
    assert "optuna, which is not installed" in answer.err and "shapiq" in answer.err


def test_a_path_is_refused(own_folder, refused):
    plan = fake.plan(cells=2)
    saved("path.study", plan, fake.whole(plan))
    assert "--experiment resolution-5" in refused("attribute", "path.study")


def test_a_comparison_is_refused_and_can_be_reported(own_folder, refused, nextify):
    plan = fake_comparison.plan((1000, 4000), 1, fake_comparison.NAMES[:2])
    saved("c.study", plan, fake_comparison.whole(plan))
    assert "nextify report c.study" in refused("attribute", "c.study")
    assert nextify("report", "c.study").code == 0
    assert Path("c-report/comparison.csv").exists()


def test_other_factors_are_refused(study, refused):
    plan = fake_experiment.plan("full", 1, factors=FACTORS[:2])
    saved("b.study", plan, fake_experiment.whole(plan, truth=(0.02, 0.0), pairs={}))
    assert "factor 'depthwise and width' differs" in refused("attribute", "a.study", "b.study")
    assert "c.study" in refused("attribute", "a.study", "c.study")


def test_an_unknown_score_is_refused(study, refused):
    assert "accuracy" in refused("attribute", "a.study", "--score", "loss")
    with Store.open("a.study", create=False) as store:
        key = store.records()[0].key
        store.keep_measurements(key, [Measurement(probe="shift-consistency", version=1, value=0.9)])
    told = refused("attribute", "a.study", "--score", "shift-consistancy")
    assert "did you mean 'shift-consistency'" in told


def test_a_probe_is_a_score(study, nextify):
    with Store.open("a.study", create=False) as store:
        for record in store.records():
            value = float(record.result.accuracy + 1)
            of = {"probe": "made-up", "version": 1, "unit": "px", "values": {"stage1": -value}}
            store.keep_measurements(record.key, [Measurement(value=value, **of)])
    answer = nextify("attribute", "a.study", "--score", "made-up.stage1", "--matrix",
                     "false-discoveries", "--json")  # fmt: skip
    values = json.loads(answer.out)
    assert values["metric"] == "made-up.stage1"
    found = values["studies"][0]["attribution"]["made-up.stage1"]["contributions"]
    assert [each["answer"] for each in found] == ["lowers", "raises", "not resolved"]
    assert values["studies"][0]["probes"]["control"] == "false discoveries"
    assert values["report"] == "a-made-up.stage1-report/report.html"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--matrix", "false-discoveries"), "none was measured in a.study; measure first"),
        (("--without-failed",), "none is planned in a.study (nextify study --looks N"),
    ],
)
def test_what_would_do_nothing_is_refused(study, refused, words, said):
    assert said in refused("attribute", "a.study", *words)


def test_data_sets_as_a_sample_of_data(own_folder, nextify):
    """The first factor helps everywhere, the second here and not there, the third nowhere."""
    for name, second in (("a", 0.02), ("b", -0.02), ("c", 0.0)):
        plan = fake_experiment.plan("full", 3, factors=FACTORS, data_name=name)
        plan = replace(plan, data={**plan.data, "fingerprint": f"{ord(name):016x}"})
        records = fake_experiment.whole(plan, truth=(0.02, second, 0.0), pairs={})
        saved(f"{name}.study", plan, records)
    answer = nextify("attribute", "a.study", "b.study", "c.study")
    assert answer.code == 0 and "With fewer than six data sets look at each" in answer.out
    assert "patchify stem clearly does other things on one of these sets" in answer.out
    page = Path("a-and-b-and-c-report/report.html").read_text()
    assert "On each data set, and on others" in page and page.count("<svg") > 3
    answer = nextify("attribute", "a.study", "b.study", "c.study", "--json")
    found = json.loads(answer.out)["general"]["contributions"]
    assert found[0]["answer"] == "helps" and found[1]["answer"] == "not resolved"
    assert found[1]["differs"] < 0.001 < found[0]["differs"]
