"""What earlier versions of probes read wrong: which versions, and of which networks."""

from dataclasses import replace

import pytest

from nextify.designs import AnyDesign, design, path
from nextify.findings.misread import MISREAD, as_read_now, faults, has, stands
from nextify.findings.probed import probe_scores
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


def test_what_was_misread_of_a_network_has_no_value_and_all_else_stands() -> None:
    plan = fake.plan()
    runs, designs = places(plan, fake.whole(plan)), {c.name: c.design for c in plan.cells}
    wrong = {run.key for (name, _), run in runs.items() if has("shortcuts", designs[name], 28)}
    signal = Measurement(probe="signal", version=1, value=1.0, values={"stage1": 2.0})
    lie = replace(signal, probe="lie-translation", curves={"error": [1.0]})
    old = {run.key: {"signal": signal, "lie-translation": lie} for run in runs.values()}
    assert 0 < len(wrong) < len(old)
    now = as_read_now(plan, runs.values(), old)
    for key, found in now.items():
        of_signal, of_lie = found.values()
        assert of_signal.version == of_lie.version == 2
        if key in wrong:
            assert of_signal.value is None and "probe FILE" in of_signal.reason
            assert of_lie.value == 1.0 and not of_lie.reason
            assert not any(each.values or each.curves for each in found.values())
        else:
            assert of_signal == replace(signal, version=2)
    # It is enough to measure these anew.
    anew = {key: {"signal": replace(signal, version=2, value=3.0)} for key in wrong}
    score = probe_scores(as_read_now(plan, runs.values(), {**old, **anew}))["signal"]
    assert score.values == {key: 3.0 if key in wrong else 1.0 for key in old} and not score.reasons


def test_what_a_probe_of_ones_own_found_is_as_it_is() -> None:
    plan = fake.plan()
    runs = fake.whole(plan)
    mine = {run.key: {"mine": Measurement(probe="mine", version=3, value=1.0)} for run in runs}
    assert as_read_now(plan, runs, mine) == mine


@pytest.mark.parametrize(
    ("probe", "version", "step", "told"),
    [
        ("signal", 2, "BN to LN", True),
        ("signal", 1, "BN to LN", False),
        ("signal", 1, "fewer activations", True),  # nothing was read wrong of it
        ("mine", 1, "fewer activations", False),  # what its versions change is not known
    ],
)
def test_what_the_present_version_would_find_is_not_measured_again(
    probe: str, version: int, step: str, told: bool
) -> None:
    found = Measurement(probe=probe, version=version, value=1.0)
    assert stands(found, 2, STEPS[step], 32) == told
    assert not stands(replace(found, failed=True), 2, STEPS[step], 32)
