"""Networks over image sizes: ViT's law, crossings, refusals, counts, the command."""

import json
import math
import os
import subprocess
import sys

import pytest
import sympy as sp
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import nextify as nx
from nextify.cli.main import main
from nextify.costs.spread import Spread
from nextify.network import build
from nextify.scaling.laws.networks import (
    NetworkPoint,
    bytes_needed,
    crossings,
    curve,
    require_memory,
)
from nextify.scaling.laws.vit import (
    TOKENS,
    N,
    S,
    _values,
    attention_share,
    macs,
    overtakes_at,
    vit_law,
)
from nextify.scaling.measuring.count import count_alive
from nextify.scaling.measuring.memory import growth
from nextify.scaling.measuring.networks import measure_networks
from random_transformers import vits

MINIS = ("convnext-mini", "vit-mini", "swin-mini")


@settings(max_examples=50, deadline=None)
@given(case=vits(), classes=st.integers(1, 2000))
def test_vits_law_is_the_count(case, classes):
    design, (side, _) = case
    assert macs(design, side, classes) == nx.cost(design, side, classes).macs


@settings(max_examples=25, deadline=None)
@given(case=vits(), classes=st.integers(1, 2000))
def test_the_quadratic_term_overtakes_the_rest_where_the_law_says(case, classes):
    design, _ = case
    law, values = vit_law(), _values(design, classes)
    side = law.overtakes.subs(values)
    assume(side.is_real)
    at = sp.N(law.products.subs(N, TOKENS).subs(values).subs(S, side), 30)
    rest = sp.N((law.total - law.products).subs(N, TOKENS).subs(values).subs(S, side), 30)
    assert float(at / rest) == pytest.approx(1.0, abs=1e-9)
    assert overtakes_at(design, classes) == pytest.approx(float(side))
    below, above = (attention_share(design, float(side) * by, classes)[0] for by in (0.9, 1.1))
    assert below < 0.5 < above


@pytest.mark.parametrize("name", ["vit-s-16", "vit-b-16", "vit-b-32", "vit-l-16", "vit-h-14"])
def test_about_where_it_overtakes(name):
    """Without patches and classifier: N = 2 D + M."""
    design = nx.design(name)
    about = design.patch_size * math.sqrt(2 * design.width + design.inner)
    assert overtakes_at(design) == pytest.approx(about, rel=0.02)


def test_shares_are_those_of_the_layers():
    layers = nx.cost(nx.design("vit-b-16"), 384).layers
    total = sum(layer.macs for layer in layers)
    core = sum(layer.macs for layer in layers if layer.name.endswith("attention.branch.core"))
    every = sum(layer.macs for layer in layers if ".attention." in layer.name)
    assert attention_share(nx.Vit(), 384) == pytest.approx((core / total, every / total))


def made(name: str, values: dict[int, float], spread: float = 0.0) -> list[NetworkPoint]:
    return [
        NetworkPoint(name=name, side=side, params=1, macs=int(value), kept=1, alive=1,
                     seconds=Spread(value, value * (1 - spread), value * (1 + spread), 3))
        for side, value in values.items()
    ]  # fmt: skip


def test_crossings_by_formula_are_sizes_and_measured_ones_lie_between():
    curves = {"a": made("a", {32: 1, 64: 10, 128: 100}), "b": made("b", {32: 4, 64: 20, 128: 60})}
    (found,) = crossings(curves, "macs")
    assert (found.side, found.more, found.less) == (128, "a", "b")
    (found,) = crossings(curves, "seconds")
    low, high = math.log(2), math.log(100 / 60)  # the gap in logarithms, before and after
    assert found.side == pytest.approx(64 * 2 ** (low / (low + high)))


def test_no_crossing_where_the_order_stays_or_measurements_overlap():
    apart = {"a": made("a", {32: 1, 64: 2}), "b": made("b", {32: 2, 64: 3})}
    assert not list(crossings(apart, "macs")) and not list(crossings(apart, "seconds"))
    close = {"a": made("a", {32: 1, 64: 3}, 0.5), "b": made("b", {32: 2, 64: 2}, 0.5)}
    assert list(crossings(close, "macs")) and not list(crossings(close, "seconds"))
    assert not list(crossings(apart, "kept"))  # equal


def test_only_the_last_crossing_counts():
    curves = {"a": made("a", {32: 1, 64: 3, 96: 1, 128: 3}),
              "b": made("b", dict.fromkeys((32, 64, 96, 128), 2))}  # fmt: skip
    (found,) = crossings(curves, "macs")
    assert (found.side, found.more) == (128, "a")


def test_curves_leave_out_what_a_vit_cannot_see():
    sides = [found.side for found in curve("vit-h-14", (56, 448))]
    assert sides == [56, 224, 448]


@pytest.mark.parametrize("name", ["resnet-50", "vit-b-16", "swin-t"])
def test_sizes_that_do_not_fit_are_refused_with_one_that_does(name):
    limit = 600 * 2**20
    with pytest.raises(nx.InputError, match=f"{name} for images of 8,192 pixels takes") as caught:
        require_memory(name, 8192, limit)
    fitting = int(str(caught.value).split("; ")[1].split()[0].replace(",", ""))
    require_memory(name, fitting, limit)
    assert bytes_needed(name, fitting) <= limit
    step = 16 if name == "vit-b-16" else 32
    assert bytes_needed(name, fitting + step) > limit
    with pytest.raises(nx.InputError, match="choose a smaller network"):
        require_memory(name, 64, 1000)


def test_what_is_measured_is_what_is_counted():
    found = measure_networks(MINIS, (32, 64), rounds=2, memory=1 << 30, classes=10)
    assert [(p.name, p.side) for p in found] == [(n, s) for s in (32, 64) for n in MINIS]
    for one in found:
        assert one.counted == one.macs == nx.cost(nx.design(one.name), one.side, 10).macs
        assert one.seconds is not None and one.seconds.count == 2
        assert 0 < one.seconds.low <= one.seconds.median <= one.seconds.high
        assert one.resident is None or one.resident.bytes >= one.resident.tensors > 0


@pytest.mark.skipif(
    not os.access("/proc/self/clear_refs", os.W_OK), reason="the peak is read from Linux, anew"
)
@pytest.mark.parametrize("name", ["convnext-mini", "swin-mini"])
def test_resident_memory_is_that_of_the_tensors_alive(name):
    network = build(nx.design(name), 10, image_size=512).eval()
    image = torch.randn(4, 3, 512, 512, generator=torch.Generator().manual_seed(0))
    alive = count_alive(network, image)
    assert alive > 20e6
    assert growth(network, image).bytes == pytest.approx(alive, rel=0.03)


def test_nothing_is_measured_where_one_size_does_not_fit():
    def never(name: str, side: int) -> None:
        raise AssertionError("measured")

    with pytest.raises(nx.InputError, match="would fit"):
        measure_networks(MINIS, (32, 1024), memory=2 << 20, on_point=never)


def test_the_command_by_formula(capsys, tmp_path):
    assert main(["scale", "networks", "--formulas", "--max-size", "64", "--json",
                 "--figure", str(tmp_path)]) == 0  # fmt: skip
    values = json.loads(capsys.readouterr().out)
    assert {p["side"] for p in values["points"]} == {32, 64}
    assert all(p["seconds"] is None for p in values["points"])
    assert [v["name"] for v in values["vits"]] == ["vit-s-16", "vit-b-16"]
    assert values["vits"][1]["overtakes_at"] == pytest.approx(1089.76, abs=0.01)
    for name in ("networks", "attention-share"):
        assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG")
        assert "mathdefault" not in (tmp_path / f"{name}.svg").read_text()


def test_the_command_measured(capsys):
    assert main(["scale", "networks", "--only", ",".join(MINIS), "--sizes", "32,64",
                 "--rounds", "1", "--classes", "10"]) == 0  # fmt: skip
    answer = capsys.readouterr().out
    assert answer.count("the same") == 6
    assert "half at" in answer


@pytest.mark.parametrize("subject", ["mixers", "networks"])
def test_formulas_are_printed_without_loading_torch(subject):
    code = (
        "import sys; from nextify.cli.main import main; "
        f"main(['scale', '{subject}', '--formulas']); sys.exit('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, stdout=subprocess.DEVNULL)
    assert done.returncode == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--sizes", "big"], "--sizes is 'big'"),
        (["--sizes", "0,32"], "--sizes is '0,32'"),
        (["--max-size", "16"], "--max-size is 16; the least is 32"),
        (["--sizes", "64", "--max-size", "32"], "--max-size is 32; none of --sizes"),
        (["--only", "vit-x"], "unknown design 'vit-x'"),
        (["--only", "vit-h-14"], "no multiple of a ViT's patch_size=14"),
        (["--memory", "1MB"], "is 0.00 GiB; choose a smaller network"),
        (["--sizes", "100"], "vit-s-16: images of 100 pixels are no multiple"),
        (["--formulas", "--rounds", "3"], "--rounds does nothing with --formulas"),
    ],
)
def test_bad_input(options, message, capsys):
    assert main(["scale", "networks", *options]) == 2
    assert message in capsys.readouterr().err
