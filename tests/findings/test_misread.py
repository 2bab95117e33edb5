"""What earlier versions of probes read wrong: which versions, and of which networks."""

from dataclasses import replace

import pytest

from nextify.designs import AnyDesign, design, path
from nextify.findings.misread import MISREAD, faults, has, misread, misread_in
from nextify.findings.probed import named_scores, probe_scores
from nextify.probes import PROBES
from nextify.records import Measurement, places
from report import fake

ONE_STAGE = replace(
    design("convnext-mini"), depths=(2,), widths=(24,), stem_stride=1, downsampling="in_block"
)
STEPS = {step.name: step.design for step in path("small").steps}


def test_whoever_raises_a_version_says_what_the_one_before_read_wrong() -> None:
    for name, probe in PROBES.items():
        assert probe.version == len(MISREAD.get(name, ())) + 1, name
    assert MISREAD.keys() <= PROBES.keys()


def test_a_version_has_the_faults_that_were_mended_after_it() -> None:
    for name in MISREAD:
        assert faults(name, PROBES[name].version, "stage1") == ()
        assert faults(name, 1, "stage1")
    assert faults("lie-scale", 1) == () and "shortcuts" in faults("lie-scale", 1, "stage1")
    assert faults("shift-consistency", 1) == faults("mine", 3) == ()


@pytest.mark.parametrize(
    ("fault", "of", "side", "told"),
    [
        ("shortcuts", STEPS["BN to LN"], 32, True),
        ("shortcuts", STEPS["fewer activations"], 32, False),  # its shortcuts have norms
        ("shortcuts", design("convnext-mini"), 32, False),  # it has no shortcuts
        ("shortcuts", ONE_STAGE, 32, True),  # its stem is 1 x 1
        ("shortcuts", replace(ONE_STAGE, stem_stride=2), 32, False),
        ("shortcuts", design("swin-mini"), 32, False),
        ("Swin", design("swin-mini"), 32, True),
        ("Swin", design("vit-mini"), 32, False),
        ("one position", design("convnext-mini"), 28, True),
        ("one position", design("convnext-mini"), 32, False),
        ("one position", design("vit-mini"), 32, False),
    ],
)
def test_which_networks_were_misread(fault: str, of: AnyDesign, side: int, told: bool) -> None:
    assert has(fault, of, side) == told


def test_networks_are_counted_by_their_designs_and_what_measured_them() -> None:
    plan = fake.plan()
    records = fake.whole(plan)
    runs = places(plan, records)
    at = [cell.name for cell in plan.cells if has("shortcuts", cell.design, 28)]
    assert 0 < len(at) < len(plan.cells)

    def counted(version: int, name: str) -> dict[str, int]:
        found = Measurement(probe="signal", version=version, value=1.0, values={"stage1": 1.0})
        probed = {record.key: {"signal": found} for record in records if record.result}
        return misread(plan, runs, {**probe_scores(probed), **named_scores(probed)}[name])

    some = sum(name in at and record.result is not None for (name, _), record in runs.items())
    assert counted(1, "signal") == counted(1, "signal.stage1") == {"shortcuts": some}
    assert counted(2, "signal") == {}

    lie = Measurement(probe="lie-scale", version=1, value=1.0, values={"stage1": 1.0})
    assert "shortcuts" in misread_in(lie, plan, at[0])
    assert misread_in(replace(lie, values={}), plan, at[0]) == ()
    assert misread_in(replace(lie, version=2), plan, at[0]) == ()
