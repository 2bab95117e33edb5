"""What is told from measurements: with made-up points whose answer is known, and refusals."""

import json
import math
import os
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import settings as examples
from scipy import stats
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from nextify.cli.main import main
from nextify.designs.values import from_values
from nextify.errors import InputError
from nextify.report.scaling.mixer_figure import mixer_figure
from nextify.report.scaling.mixer_line_figure import mixer_line_figure
from nextify.report.scaling.sweep_words import (
    conditions_in_words,
    explained,
    reason_in_words,
    sweep_values,
    sweeps_in_words,
    unresolved_in_words,
)
from nextify.scaling.laws.findings import (
    memory_verdict,
    no_tensors,
    paces,
    parts,
    reasons,
    time_verdict,
    verdict,
)
from nextify.scaling.laws.fit import Exponent, exponent, local_exponents
from nextify.scaling.laws.formulas import amounts
from nextify.scaling.laws.kept import SWEEPS, values_of
from nextify.scaling.laws.limits import bytes_needed, largest, require_memory
from nextify.scaling.laws.mixers import MIXERS, Attention, Convolution, Recurrence, in_plane, mixer
from nextify.scaling.laws.ranges import Line, Settings
from nextify.scaling.laws.sweeps import Point, Resident, Sweep
from nextify.scaling.measuring import choose, measure, memory, timing
from nextify.scaling.measuring.memory import growth
from nextify.scaling.measuring.timing import time_rounds
from nextify.scaling.mixers import build
from nextify.scaling.saving import Kept, contents

from .sizes import Case, cases

resettable = pytest.mark.skipif(
    not os.access("/proc/self/clear_refs", os.W_OK), reason="the peak is read from Linux, anew"
)


def test_exponents_and_their_intervals_are_statistics_textbook_ones():
    x = np.array([1.0, 2.0, 4.0, 8.0, 16.0])
    y = 3 * x**1.5 * np.exp([0.1, -0.05, 0.02, -0.1, 0.03])
    found = exponent(x, y)
    slope, intercept = np.polyfit(np.log(x), np.log(y), 1)
    left = np.log(y) - intercept - slope * np.log(x)
    spread = (left @ left / 3 / ((np.log(x) - np.log(x).mean()) ** 2).sum()) ** 0.5
    half = stats.t.ppf(0.975, 3) * spread
    assert (found.value, found.low, found.high) == pytest.approx(
        (slope, slope - half, slope + half)
    )
    assert found.n == 5 and found.bend == pytest.approx(np.expm1(np.abs(left).max()))
    assert local_exponents([1, 2, 8], [5, 5, 320]) == pytest.approx((0.0, 3.0))


@pytest.mark.parametrize(("sizes", "seconds"), [([1, 2], [1, 2]), ([1, 2, 3], [1, 0, 2])])
def test_a_line_needs_points(sizes, seconds):
    with pytest.raises(ValueError, match="three or more"):
        exponent(sizes, seconds)


def grown(tensors: int, buffers: int = 0, objects: int = 0) -> Resident:
    return Resident(bytes=tensors + buffers + objects, tensors=tensors, buffers=buffers,
                    operator="aten.mm.default")  # fmt: skip


def sweep(power: float, **changes) -> Sweep:
    """Attention over N, whose time is a power of N times a constant."""
    points = []
    for count in (1024, 2048, 4096, 8192):
        found = amounts(Attention(), tokens=count, width=16)
        seconds = 1e-9 * count**power
        points.append(
            Point(tokens=(1, count), width=16, batch=1, macs=found.macs, counted=found.macs,
                  unseen=0, alive=4 * found.inference, alive_counted=4 * found.inference,
                  kept=4 * found.kept, resident=grown(4 * found.inference), seconds=seconds,
                  fastest=seconds, slowest=seconds, wall=seconds, wall_fastest=seconds,
                  wall_slowest=seconds, processor=seconds, busy=0.9, bare=0.9)
        )  # fmt: skip
    given = {"name": "attention", "mixer": Attention(), "axis": "N", "step": "forward",
             "leading": 2, "share": 0.95, "overhead": 0.0, "cache": 0, "threads": 1}  # fmt: skip
    return Sweep(**{**given, "points": tuple(points), **changes})


def words(found: Sweep) -> list[str]:
    """What bends a line."""
    return [reason_in_words(found, each) for each in reasons(found)]


def test_a_straight_line_agrees_and_has_nothing_to_explain():
    found = sweep(2.0)
    assert time_verdict(found) == "agrees" and not [*reasons(found), *no_tensors(found)]
    assert memory_verdict(found) == "agrees" and paces(found) == ()
    assert found.time.value == pytest.approx(2.0) and found.memory.value == pytest.approx(
        2, abs=0.1
    )
    assert time_verdict(sweep(1.8)) == "differs"


@pytest.mark.parametrize(
    ("value", "half", "said"),
    [
        (2.0, 0.14, "agrees"), (1.86, 0.14, "agrees"), (2.14, 0.01, "agrees"),
        (2.0, 0.16, "not resolved"), (2.01, 1.86, "not resolved"), (1.81, 0.32, "not resolved"),
        (2.16, 0.01, "differs"), (1.80, 0.14, "differs"), (2.5, 0.49, "differs"),
        (2.5, 0.51, "not resolved"),
    ],
)  # fmt: skip
def test_a_verdict_takes_the_interval_into_account(value, half, said):
    assert verdict(Exponent(value, value - half, value + half, 7, 0.1), 2) == said


def test_overhead_at_the_first_size_is_told_of_lines_that_agree():
    """Also in training, and as JSON; up to a tenth it is what lines begin with."""
    seconds = sweep(2.0).points[0].seconds
    for step in ("forward", "training"):
        found = sweep(2.0, overhead=seconds / 4, step=step)
        assert time_verdict(found) == "agrees"
        told = "overhead: 25% of the time at N = 1,024 does not scale; sizes are chosen for a tenth"
        assert told in "".join(explained(found))
        assert sweep_values(found)["reasons"][0].startswith(told)
    assert not [*explained(sweep(2.0, overhead=seconds / 10.1))]


def test_the_words_have_what_is_fixed_and_the_last_cache():
    line = sweep(2.0)
    plane = tuple(replace(p, tokens=(7, 7), width=p.size("N"), batch=4) for p in line.points)
    other = sweep(2.0, name="window-2d", mixer=MIXERS["window-2d"], axis="D", points=plane)
    assert conditions_in_words([line]) == "over N D = 16 and 1 sequence; last cache: not known."
    assert conditions_in_words([replace(line, cache=32 << 20), replace(other, cache=32 << 20)]) == (
        "over N D = 16 and 1 sequence; over D N = 49 and 4 sequences; in the plane N is the "
        "nearest square of whole windows, or of sides of 8; last cache: 32 MiB."
    )
    assert conditions_in_words([line]) in [getattr(b, "text", b) for b in sweeps_in_words([line])]
    assert sweep_values(line)["last_cache_bytes"] is None


def test_a_cache_that_is_not_known_was_not_looked_for(monkeypatch):
    monkeypatch.setattr("nextify.scaling.laws.findings.reasons", lambda sweep: iter(()))
    found = sweep(1.8)
    assert "no overhead, uncounted" in "".join(explained(found))
    assert "no overhead, cache, uncounted" in "".join(explained(replace(found, cache=1)))


def bent(sweep_: Sweep, factor: float) -> Sweep:
    first, second, *rest = sweep_.points
    return replace(sweep_, points=(first, replace(second, seconds=factor * second.seconds), *rest))


def test_what_is_not_resolved_says_how_wide_it_is_and_what_would_help():
    few = bent(sweep(2.0), 1.5)
    few = replace(few, points=few.points[:3])
    assert time_verdict(few) == "not resolved" and few.time.half > 0.15
    said = unresolved_in_words(few.time)
    assert f"± {few.time.half:.2f} at n = 3" in said
    assert f"{stats.t.ppf(0.975, 1):.1f} standard errors" in said  # 12.7
    assert f"with 7 {stats.t.ppf(0.975, 5):.1f}" in said
    many = replace(few, points=few.points + sweep(2.0).points[1:] + sweep(2.0).points[3:])
    assert "off a straight line" in unresolved_in_words(many.time)


def test_a_recurrence_has_a_pace():
    found = replace(sweep(1.0), mixer=Recurrence())
    said = "a step takes 0.00 µs at N = 1,024, 0.00 µs at N = 8,192"
    assert any(said in each for each in explained(found))
    slow = tuple(replace(p, seconds=1e3 * p.seconds) for p in found.points)
    assert paces(replace(found, points=slow)) == pytest.approx([1e-6] * 4)
    wide = tuple(replace(p, width=p.size("N")) for p in found.points)
    assert paces(replace(found, axis="D", points=wide)) == ()


def test_what_bends_a_line_is_told():
    plain = sweep(2.0)
    small, *rest = plain.points
    slow = replace(plain, overhead=small.seconds / 2)
    assert any("overhead: 50% of the time at N = 1,024" in each for each in words(slow))
    slower = replace(plain, overhead=1.08 * small.seconds)
    assert any("takes no longer than at the smallest" in each for each in words(slower))
    assert not any("108%" in each for each in words(slower))
    idle = replace(plain, points=tuple(replace(p, busy=0.4) for p in plain.points))
    assert any("without MACs" in each and "60%" in each for each in words(idle))
    jump = tuple(replace(p, seconds=3 * p.seconds) if p.size("N") > 2048 else p
                 for p in plain.points)  # fmt: skip
    cached = replace(plain, points=jump, cache=rest[0].alive + 1)
    assert any("between N = 2,048 and N = 4,096" in each for each in words(cached))
    noisy = replace(plain, points=(replace(small, slowest=2 * small.seconds), *rest))
    assert any("noise: rounds differ by up to 2.0" in each for each in words(noisy))
    fused = replace(plain, points=tuple(replace(p, unseen=1) for p in plain.points))
    assert any("fused kernel" in each for each in words(fused))


def test_a_difference_is_taken_apart():
    """Products that grow as N^1.9, half of the time at the smallest size and all at the largest."""
    plain = sweep(1.8)
    busy = [0.5 * (point.size("N") / 1024) ** (1 / 3) for point in plain.points]
    points = tuple(replace(p, busy=b, bare=b / 2) for p, b in zip(plain.points, busy, strict=True))
    found = replace(plain, points=points)
    exact = found.in_range.value
    told = parts(found)
    assert (told.lower, told.rate, told.rest) == pytest.approx(
        (exact - 2, 1.8 + 1 / 3 - exact, -1 / 3)
    )
    assert sum((told.lower, told.rate, told.rest)) == pytest.approx(found.time.value - 2)
    assert found.at_even_rate.value == pytest.approx(exact - 1 / 3)
    (rate,) = (each for each in words(found) if each.startswith("rate"))
    assert f"would grow as N^{exact - 1 / 3:.2f} ± " in rate


def test_memory_that_is_no_tensors_is_told():
    plain = sweep(2.0)
    *_, last = plain.points
    full = replace(last, resident=grown(40_000_000, 30_000_000, 20_000_000))
    whole = replace(plain, points=(*plain.points[:-1], full))
    found = [reason_in_words(whole, each) for each in no_tensors(whole)]
    assert [each.split(", which")[0] for each in found] == [
        "memory: 30 of 90 MB at N = 8,192 are buffers inside aten.mm.default"
        if at == 0
        else "memory: 20 of 90 MB at N = 8,192 are objects around small tensors"
        for at in range(2)
    ]
    little = replace(last, resident=grown(40_000_000, 9_000_000, 9_000_000))
    assert not list(no_tensors(replace(plain, points=(*plain.points[:-1], little))))
    unknown = tuple(replace(point, resident=None) for point in plain.points)
    assert not list(no_tensors(replace(plain, points=unknown)))


@pytest.mark.parametrize("name", MIXERS)
@pytest.mark.parametrize("axis", ["N", "D"])
def test_ranges_begin_where_the_leading_term_dominates(name, axis):
    line = Line(name, MIXERS[name], axis, Settings())
    sizes = line.spaced(line.first, 16 * line.first)
    assert sizes == sorted(set(sizes)) and len(sizes) >= 4
    assert all(size == line.rounded(size) for size in sizes)
    assert line.leading_share(line.first) >= 0.9


def test_memory_is_refused_before_anything_is_made():
    limit = 1 << 30
    with pytest.raises(
        InputError, match=r"takes up to 78\.6 GB, and the limit is 1\.07 GB; "
    ) as refusal:
        require_memory("attention", Attention(), limit, tokens=70_000, width=64)
    fitting = int(str(refusal.value).split("; ")[1].split()[0].replace(",", ""))
    assert bytes_needed(Attention(), tokens=fitting, width=64) <= limit
    assert bytes_needed(Attention(), tokens=fitting + 1, width=64) > limit
    with pytest.raises(InputError, match="nothing smaller would fit; give more memory"):
        require_memory("attention", Attention(), 10, tokens=4, width=64)
    assert largest(lambda n: False) == 0 and largest(lambda n: True, 9) == 9


def test_rounds_go_through_all_calls_in_turn():
    calls: list[str] = []
    seconds = time_rounds([lambda: calls.append("a"), lambda: calls.append("b")], 2)
    assert [len(found) for found in seconds] == [2, 2]
    runs = [name for at, name in enumerate(calls) if at == 0 or calls[at - 1] != name]
    assert runs == ["a", "b", "a", "b"]


def test_repeated_calls_end_where_a_clock_stands_still(monkeypatch):
    still = SimpleNamespace(process_time=lambda: 0.0, perf_counter=lambda: 0.0)
    monkeypatch.setattr("nextify.machine.clock.time", still)
    calls: list[int] = []
    assert timing.shortest(lambda: calls.append(1)).seconds == 0.0
    assert len(calls) == 1000


def made(name: str, tokens: int, width: int, batch: int = 1) -> tuple[nn.Module, Tensor]:
    mixer = MIXERS[name]
    side = math.isqrt(tokens)
    module = build(mixer, tokens=(side, side) if in_plane(mixer) else tokens, width=width)
    return module, torch.randn(batch, tokens, width, generator=torch.Generator().manual_seed(1))


def flops(call: timing.Call) -> int:
    with FlopCounterMode(display=False) as counter:
        call()
    return counter.get_total_flops()


@pytest.mark.parametrize("name", sorted(set(MIXERS) - {"fused"}))  # torch does not count it
@pytest.mark.parametrize("training", [False, True], ids=["forward", "training"])
def test_bare_products_are_those_of_the_call(name, training):
    module, x = made(name, 196, 8, batch=2)
    call = timing.training_step(module, x) if training else timing.forward(module, x, watched=True)
    assert 0 < flops(timing.bare_products(call)) == flops(call)


def is_depthwise(case: Case) -> bool:
    """Of which torch's counter takes the weight's gradient for that of a dense convolution."""
    return isinstance(case.mixer, Convolution) and case.mixer.depthwise


@examples(max_examples=25, deadline=None)
@given(case=cases().filter(lambda case: not is_depthwise(case)))
def test_a_training_step_takes_three_times_the_macs(case):
    """But for the recurrence, which needs no gradient of h(0)."""
    module = build(case.mixer, tokens=case.tokens, width=case.width)
    x = torch.zeros(case.batch, case.count, case.width)
    with sdpa_kernel(SDPBackend.MATH):
        found = flops(timing.training_step(module, x))
    macs = amounts(case.mixer, batch=case.batch, tokens=case.tokens, width=case.width).macs
    spared = case.batch * case.width**2 if isinstance(case.mixer, Recurrence) else 0
    assert found == 2 * (3 * macs - spared)


LARGE = [  # where a page of two megabytes more or less, which the system gives, is little
    ("attention", 3200), ("multi-head", 1600), ("causal", 1600), ("window", 51_200),
    ("shifted-window-2d", 224**2), ("separable", 320_000), ("convolution-2d", 800**2),
    ("mlp", 102_400),
]  # fmt: skip


@resettable
@pytest.mark.parametrize(("name", "tokens"), LARGE, ids=[name for name, _ in LARGE])
def test_resident_memory_is_the_formulas(name, tokens):
    """Freed memory that the C library kept would be a tenth and more."""
    module, x = made(name, tokens, 32)
    found = growth(module, x)
    shape = (math.isqrt(tokens),) * 2 if in_plane(MIXERS[name]) else tokens
    formula = 4 * amounts(MIXERS[name], tokens=shape, width=32).inference
    assert formula > 80e6
    assert found.bytes == pytest.approx(formula, rel=0.05)
    assert found.tensors == pytest.approx(formula, rel=0.05)


@resettable
def test_pages_that_the_process_takes_meanwhile_are_no_other_peak(monkeypatch):
    """Between the operator of the peak and the one before which its inputs are freed."""
    taken = []

    class Taking(memory._Grown):
        def _note(self, *args):
            super()._note(*args)
            taken.append(bytes(500_000) + b"1")

    monkeypatch.setattr(memory, "_Grown", Taking)
    found = growth(*made("multi-head", 1600, 32))
    assert found.operator == "aten._softmax.default" and found.tensors > 80e6


@resettable
def test_resident_memory_that_is_no_tensors():
    """oneDNN copies a convolution's weights into an order of its own; small tensors are objects."""
    module, x = made("convolution", 64, 768)
    found = growth(module, x)
    assert found.operator == "aten.convolution.default"
    assert found.buffers > 0.9 * 4 * 3 * 768**2 > 10 * found.tensors
    module, x = made("recurrence", 16_384, 8)
    found = growth(module, x)
    assert 200 < found.objects / 16_384 < 4000 and found.buffers < found.objects / 4


QUICK = Settings(rounds=1, seconds=1e-4, memory=1 << 28)


@pytest.mark.parametrize("name", ["fused", "shifted-window", "window-2d"])
def test_a_measurement_is_whole(name):
    sizes = (3136, 196, 784) if name == "window-2d" else (64, 128, 200)
    found = measure(Line(name, MIXERS[name], "N", replace(QUICK, step="training")), sizes)
    assert found.sizes == sizes
    for point in found.points:
        assert point.counted == point.macs and point.alive_counted == point.alive
        assert 0 < point.fastest <= point.seconds <= point.slowest
        assert 0 < point.busy <= 1 and point.bare > 0 and (point.unseen > 0) == (name == "fused")
    for draw in (mixer_figure, mixer_line_figure):
        drawing = draw([found])
        assert drawing.svg.startswith("<?xml") and name in drawing.description


def test_the_command_prints_all_three_columns(capsys):
    line = ["scale", "mixers", "--only", "product,mlp", "--rounds", "1"]
    assert main([*line, "--axis", "D", "--sizes", "64,128,256"]) == 0
    out = capsys.readouterr().out
    assert f"{256 * 256 * 256:,}" in out and "the same" in out
    assert main([*line, "--axis", "D", "--sizes", "64,128,256", "--json"]) == 0
    loaded = json.loads(capsys.readouterr().out)
    assert [(each["mixer"], each["leading_exponent"]) for each in loaded] == [
        ("product", 2), ("mlp", 2)]  # fmt: skip
    assert all(p["macs"] == p["counted"] for each in loaded for p in each["points"])
    for each in loaded:
        found = verdict(Exponent(**each["time_exponent"]), each["leading_exponent"])
        assert each["verdict"] == found and each["agrees"] == (found == "agrees")
        assert all(p["wall"] > 0 and p["processor"] > 0 for p in each["points"])


def test_formulas_alone(capsys):
    assert main(["scale", "mixers", "--formulas"]) == 0
    assert "4 B D^2 N + 2 B D N^2" in capsys.readouterr().out
    assert main(["scale", "mixers", "--formulas", "--only", "mlp", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["mlp"]["macs"] == "2*B*D**2*N*r"


REFUSED = [
    ("scale", "required: subject"),
    ("scale mixr", "did you mean 'mixers'"),
    ("scale mixers --only atention", "did you mean 'attention'"),
    ("scale mixers --sizes 1,2,3", "add --axis N or --axis D"),
    ("scale mixers --axis N --sizes 1,2", "three sizes"),
    ("scale mixers --axis N --sizes 1,x,3", "whole numbers"),
    ("scale mixers --axis Q", "unknown value of --axis 'Q'"),
    ("scale mixers --seconds 0", "--seconds"),
    ("scale mixers --memory 4", "give bytes with their unit"),
    ("scale mixers --only attention --axis N --sizes 10,20,99999999", "tokens would fit"),
    ("scale mixers --only window-2d --axis N --sizes 100,400,500", "484 would be one"),
    ("scale mixers --only multi-head --axis D --sizes 16,32,33", "multiple of the 4 attention"),
    ("scale mixers --only mlp --memory 1kB", "more memory with --memory"),
    ("scale mixers --figure /dev/null/x --only mlp", "--figure"),
    (
        "scale mixers --only attention --axis N --width 58000 --memory 10GB",
        "fewer tokens of a smaller width",
    ),
    ("scale mixers --only attention --width 1048576", "where sizes that are chosen end"),
    ("scale mixers --only attention --tokens 1048576 --axis D", "where sizes that are chosen end"),
    ("scale mixers --only attention --batch 1048576", "tokens would fit"),
    ("scale mixers --formulas --figure x", "--figure does nothing with --formulas"),
    ("scale mixers --formulas --axis N", "--axis does nothing with --formulas"),
    ("scale mixers --formulas --tokens 8", "--tokens does nothing with --formulas"),
    ("scale mixers --formulas --width 8", "--width does nothing with --formulas"),
    ("scale mixers --formulas --step forward", "--step does nothing with --formulas"),
    ("scale mixers --formulas --rounds 5", "--rounds does nothing with --formulas"),
    ("scale mixers --formulas --seconds 1", "--seconds does nothing with --formulas"),
    ("scale mixers --formulas --save x", "--save does nothing with --formulas"),
    ("scale mixers --formulas --sizes-of x", "--sizes-of does nothing with --formulas"),
    ("scale mixers --axis N --tokens 64", "--tokens does nothing with --axis N"),
    ("scale mixers --axis D --width 32", "--width does nothing with --axis D"),
    ("scale mixers --axis N --sizes 1,2,3 --seconds 1", "--seconds does nothing with --sizes"),
    ("scale mixers --axis N --sizes 1,2,3 --sizes-of x", "--sizes-of does nothing with --sizes"),
    ("scale mixers --sizes-of /dev/null/x", "--sizes-of"),
    ("scale mixers --only attention,", "--only is 'attention,', with a comma too many"),
    ("scale mixers --figure /proc/x --only mlp", "folder /proc/x cannot be made"),
    ("scale mixers --save /dev/null/x --only mlp", "--save"),
    ("scale mixers --save /tmp --only mlp", "cannot be read"),
]


@pytest.mark.parametrize(("line", "said"), REFUSED, ids=[line for line, _ in REFUSED])
def test_refusals(capsys, line, said):
    assert main(line.split(" ")) == 2
    answer = capsys.readouterr()
    last = answer.err.strip().splitlines()[-1]
    assert answer.out == "" and last.startswith("nextify: ") and said in last


FIELDS = [
    ("window windw=32", "unknown field 'windw'; did you mean 'window'"),
    ("window window=x", "field 'window' is 'x'; it must be a whole number"),
    ("window window", "not of the form FIELD=VALUE"),
    ("attention heads=0", "heads is 0; it must be at least 1"),
    ("attention heads=5", "width is 32; it must be a multiple of the 5 attention heads"),
    ("convolution kernel=4", "kernel is 4; it must be odd"),
    ("product ratio=2", "product has no fields"),
    ("mlp ratio=2 ratio=3", "given twice"),
]


@pytest.mark.parametrize(("only", "said"), FIELDS, ids=[only for only, _ in FIELDS])
def test_fields_that_are_refused(capsys, only, said):
    assert main(["scale", "mixers", "--axis", "N", "--only", only]) == 2
    answer = capsys.readouterr()
    assert answer.out == "" and said in answer.err and only.split()[0] in answer.err


def test_mixers_with_fields_of_ones_own(capsys):
    assert mixer("window window=32 heads=2") == replace(MIXERS["window"], window=32, heads=2)
    assert main(["scale", "mixers", "--formulas", "--only", "mlp ratio=2, mlp", "--json"]) == 0
    assert list(json.loads(capsys.readouterr().out)) == ["mlp ratio=2", "mlp"]


@pytest.mark.parametrize("name", MIXERS)
def test_a_sweep_in_a_file_is_the_sweep(name):
    given = replace(sweep(1.9), name=name, mixer=MIXERS[name], overhead=0.5)
    points = tuple(replace(p, seconds=round(p.seconds, 9)) for p in given.points)
    given = replace(given, points=(*points[:3], replace(points[3], resident=None)))
    again = from_values(Sweep, json.loads(json.dumps(values_of(given))))
    assert (again.mixer, again.sizes) == (given.mixer, given.sizes)
    assert again.time.value == pytest.approx(given.time.value, abs=1e-4)
    assert from_values(Sweep, json.loads(json.dumps(values_of(again)))) == again


def test_the_command_goes_on_from_its_file(tmp_path, capsys, monkeypatch):
    """What is there is not measured again, what is not is; other settings are refused."""
    path = tmp_path / "there" / "mixers.json"
    line = ["scale", "mixers", "--rounds", "1", "--threads", str(torch.get_num_threads())]
    line += ["--save", str(path)]
    sizes = ["--axis", "D", "--sizes", "64,128,256"]
    assert main([*line, *sizes, "--only", "product"]) == 0
    before = capsys.readouterr().out
    ((first,), made_with) = reversed(contents(path, SWEEPS))
    assert made_with["torch"] == torch.__version__ and first.sizes == (64, 128, 256)
    assert main([*line, *sizes, "--only", "product,mlp", "--json"]) == 0
    answer = capsys.readouterr()
    assert "mlp along D" in answer.err and "product" not in answer.err
    assert [each["mixer"] for each in json.loads(answer.out)] == ["product", "mlp"]
    assert contents(path, SWEEPS)[1][0] == first
    monkeypatch.setattr("nextify.scaling.measuring.sweep.measure", None)
    assert main([*line, *sizes, "--only", "product", "--figure", str(tmp_path)]) == 0
    assert (tmp_path / "mixers.png").exists() and (tmp_path / "mixer-lines.png").exists()
    assert capsys.readouterr().out.split() == before.split()
    for change, said in (
        (["--rounds", "2"], "other settings (rounds: 1 there, 2 now)"),
        (["--sizes", "64,128,512"], "product over D at other sizes"),
    ):
        assert main([*line, *sizes, "--only", "product", *change]) == 2
        assert said in capsys.readouterr().err


def test_sizes_of_another_file(tmp_path, capsys):
    path = tmp_path / "one.json"
    line = ["scale", "mixers", "--rounds", "1", "--axis", "D", "--json"]
    given = ["--sizes", "64,128,256", "--save", str(path)]
    assert main([*line, "--only", "product", *given]) == 0
    capsys.readouterr()
    assert main([*line, "--only", "product", "--sizes-of", str(path)]) == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert [point["width"] for point in found["points"]] == [64, 128, 256]
    assert main([*line, "--only", "product,mlp", "--sizes-of", str(path)]) == 2
    assert "has no sizes of mlp over D" in capsys.readouterr().err


@pytest.mark.parametrize("name", MIXERS)
@pytest.mark.parametrize("axis", ["N", "D"])
def test_a_search_for_sizes_always_goes_on(name, axis):
    line = Line(name, MIXERS[name], axis, Settings())
    size = line.rounded(1)
    for _ in range(8):
        after = line.larger(size)
        assert size < after <= 4 * size
        size = after


@pytest.mark.parametrize(("name", "axis"), [("window-2d", "N"), ("attention", "N"), ("mlp", "D")])
def test_sizes_are_chosen_within_the_memory(name, axis):
    sizes = choose(Line(name, MIXERS[name], axis, replace(QUICK, memory=128 << 20)))
    assert len(sizes) >= 3 and sizes == sorted(set(sizes))


class Ideal:
    """A machine of 0.3 ms a call and 20 GMACs a second, by a clock that only calls move on: the
    first two of a mixer at a size, which find nothing in the caches, take three times as long."""

    now = 0.0

    def perf_counter(self) -> float:
        return self.now

    process_time = perf_counter

    def seconds(self, mixer, **sizes) -> float:
        return 3e-4 + amounts(mixer, **sizes).macs / 20e9

    def build(self, mixer, **sizes):
        factors = iter((3.0, 3.0))

        def module(x: Tensor) -> None:
            self.now += next(factors, 1.0) * self.seconds(mixer, batch=len(x), **sizes)

        return module


@pytest.fixture
def ideal(monkeypatch) -> Ideal:
    machine = Ideal()
    monkeypatch.setattr("nextify.machine.clock.time", machine)
    monkeypatch.setattr("nextify.scaling.measuring.sweep.build", machine.build)
    monkeypatch.setattr("nextify.scaling.measuring.sweep.last_cache", lambda: 0)
    return machine


BEGIN = [("product", "D"), ("attention-core", "N"), ("separable", "D"), ("convolution-2d", "D")]


@pytest.mark.parametrize(("name", "axis"), BEGIN)
def test_chosen_sizes_begin_where_a_call_takes_ten_times_the_overhead(ideal, name, axis):
    line = Line(name, MIXERS[name], axis, Settings(memory=1 << 34))
    sizes = choose(line)
    first, overhead = (ideal.seconds(line.mixer, **line.at(n)) for n in (sizes[0], line.step))
    assert first >= 10 * overhead and len(sizes) == 7


def test_they_begin_earlier_where_they_end_at_less_than_four_times_that(ideal):
    sizes = choose(Line("attention-core", MIXERS["attention-core"], "D", Settings()))
    assert (sizes[0], sizes[-1]) == (1024, 4096)


def test_the_end_of_the_search_is_not_called_the_memorys(ideal):
    with pytest.raises(InputError, match=r"from 3,600, and sizes are chosen up to 4,096; give --s"):
        choose(Line("attention", Attention(), "D", Settings(tokens=800, memory=1 << 40)))


def test_a_leading_term_that_never_dominates_is_refused_before_anything_is_made(monkeypatch):
    monkeypatch.setattr("nextify.scaling.measuring.sweep.build", None)
    with pytest.raises(InputError, match=r"has 80\.0% of the MACs at 4,096, .* must have 90%"):
        measure(Line("attention", Attention(), "D", Settings(tokens=2048, memory=1 << 40)))


SPOILT = [
    ({}, "a line needs 3 different ones"),
    ({"seconds": 0}, "points[0].seconds' is 0; it must be at least 1e-09"),
    ({"busy": 0.0}, "points[0].busy' is 0.0"),
    ({"bare": 0.0}, "points[0].bare' is 0.0"),
    ({"macs": 0}, "points[0].macs' is 0; it must be at least 1"),
]


@pytest.mark.parametrize(("changes", "said"), SPOILT, ids=str)
@pytest.mark.parametrize("option", ["--save", "--sizes-of"])
def test_files_without_a_line_are_refused(tmp_path, capsys, changes, said, option):
    path = tmp_path / "mixers.json"
    Kept(SWEEPS, path, {}).add(sweep(2.0))
    content = json.loads(path.read_text())
    points = content["sweeps"][0]["points"]
    content["sweeps"][0]["points"] = [{**points[0], **changes}, *points[1 : 4 if changes else 2]]
    path.write_text(json.dumps(content))
    assert main(["scale", "mixers", "--only", "attention", "--axis", "N", option, str(path)]) == 2
    answer = capsys.readouterr().err
    assert "holds no sweeps" in answer and said in answer


def test_a_memory_too_small_for_a_line_is_refused():
    with pytest.raises(InputError, match=r"attention along N .* from 576, and the memory ends at"):
        choose(Line("attention", Attention(), "N", replace(QUICK, memory=8 << 20)))
