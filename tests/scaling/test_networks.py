"""Networks over image sizes: ViT's law, crossings, refusals, counts, the command."""

import dataclasses
import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest
import sympy as sp
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import nextify as nx
from nextify.cli.main import main
from nextify.costs.spread import Spread
from nextify.network import build
from nextify.report.scaling.network_figure import draw_networks
from nextify.report.scaling.network_words import crossing_in_words, networks_in_words
from nextify.scaling.laws.kept import POINTS
from nextify.scaling.laws.networks import (
    DEFAULT,
    NetworkPoint,
    Networks,
    activation_bytes,
    alive_at_most,
    bytes_needed,
    crossings,
    curve,
    network,
    require_memory,
)
from nextify.scaling.laws.vit import (
    TOKENS,
    N,
    S,
    _values,
    attention_share,
    overtakes_at,
    vit_law,
)
from nextify.scaling.measuring.count import count_alive
from nextify.scaling.measuring.memory import growth
from nextify.scaling.measuring.networks import measure_networks
from nextify.scaling.saving import Kept, contents
from random_transformers import swins, vits

from .document import script

MINIS = ("convnext-mini", "vit-mini", "swin-mini")
resettable = pytest.mark.skipif(
    not os.access("/proc/self/clear_refs", os.W_OK), reason="the peak is read from Linux, anew"
)


@settings(max_examples=50, deadline=None)
@given(case=vits(), classes=st.integers(1, 2000))
def test_vits_law_is_the_count(case, classes):
    design, (side, _) = case
    values = {**_values(design, classes), S: side}
    macs = vit_law().total.subs(N, TOKENS).subs(values)
    assert macs == nx.cost(design, side, classes).macs


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
    assert (found.more, found.less) == ("a", "b")
    assert [(span.low, span.high, span.count) for span in found.above] == [(128, 128, 1)]
    assert [(span.low, span.high, span.count) for span in found.below] == [(32, 64, 2)]
    assert found.above[0].most == pytest.approx(0.4) and found.below[0].most == pytest.approx(0.75)
    (found,) = crossings(curves, "seconds")
    low, high = math.log(2), math.log(100 / 60)  # the gap in logarithms, before and after
    meeting = pytest.approx(64 * 2 ** (low / (low + high)))
    assert found.above[0].low == meeting == found.below[0].high
    assert crossing_in_words(found) == "a takes longer than b from about 95 pixels on"


def test_tables_of_what_is_kept(tmp_path):
    points = [*made("a", {32: 2, 1024: 3}), *made("b", {32: 4})]
    Kept(POINTS, tmp_path / script.NETWORKS, {}).add(*points)
    found = script.blocks(tmp_path)
    assert found["networks"].splitlines() == [
        "| pixels | a: GMACs | ms | b: GMACs | ms |",
        "| --- | --- | --- | --- | --- |",
        "| 32 | 2e-09 | 2,000 | 4e-09 | 4,000 |",
        "| 1,024 | 3e-09 | 3,000 | – | – |",
    ]
    assert found["networks-memory"].splitlines()[2] == "| 32 | 1e-06 | – | 1e-06 | – |"


def test_the_document_has_places_for_these_tables():
    document = Path(__file__).parents[2] / "docs/scaling.md"
    filled = script.put(document.read_text(), {"networks": "| one |", "networks-memory": "| two |"})
    assert "| one |" in filled and "| two |" in filled


def test_no_crossing_where_the_order_stays_or_measurements_overlap():
    apart = {"a": made("a", {32: 1, 64: 2}), "b": made("b", {32: 2, 64: 3})}
    assert not list(crossings(apart, "macs")) and not list(crossings(apart, "seconds"))
    close = {"a": made("a", {32: 1, 64: 3}, 0.5), "b": made("b", {32: 2, 64: 2}, 0.5)}
    assert list(crossings(close, "macs")) and not list(crossings(close, "seconds"))
    assert not list(crossings(apart, "kept"))  # equal


def test_every_crossing_of_a_pair_is_told():
    curves = {"a": made("a", {32: 1, 64: 3, 96: 1, 128: 3}),
              "b": made("b", dict.fromkeys((32, 64, 96, 128), 2))}  # fmt: skip
    (found,) = crossings(curves, "macs")
    assert [span.low for span in found.above] == [64, 128]
    assert [span.low for span in found.below] == [32, 96]
    assert crossing_in_words(found) == "a costs more than b at 64 and from 128 pixels on"


def test_a_flicker_is_called_one():
    sides = range(32, 352, 32)
    curves = {"a": made("a", {side: 999 if side == 160 else 1200 for side in sides}),
              "b": made("b", dict.fromkeys(sides, 1000))}  # fmt: skip
    (found,) = crossings(curves, "macs")
    assert (
        crossing_in_words(found)
        == "a costs more than b but at 160 pixels, where it costs 0.1 % less"
    )


@pytest.mark.parametrize("quantity", ["macs", "kept", "alive"])
def test_what_is_said_of_crossings_is_true_at_every_size(quantity):
    sides = (32, 64, 96, 128, 192, 256, 384, 512, 768, 1024)
    curves = {name: curve(name, sides) for name in DEFAULT}
    for found in crossings(curves, quantity):
        more, less = (
            {p.side: p.value(quantity) for p in curves[name]} for name in (found.more, found.less)
        )
        for side in more.keys() & less.keys():
            above = any(span.low <= side <= span.high for span in found.above)
            below = any(span.low <= side <= span.high for span in found.below)
            assert (above, below) == (more[side] > less[side], more[side] < less[side])


def test_curves_leave_out_what_a_vit_cannot_see():
    sides = [found.side for found in curve("vit-h-14", (56, 448))]
    assert sides == [56, 224, 448]


@pytest.mark.parametrize("name", ["resnet-50", "vit-b-16", "swin-t"])
def test_sizes_that_do_not_fit_are_refused_with_one_that_does(name):
    limit = 600 * 10**6
    with pytest.raises(nx.InputError, match=f"{name} for images of 8,192 pixels takes") as caught:
        require_memory([name], 8192, limit)
    fitting = int(str(caught.value).split("; ")[1].split()[0].replace(",", ""))
    require_memory([name], fitting, limit)
    assert bytes_needed([name], fitting) <= limit
    step = 16 if name == "vit-b-16" else 32
    assert bytes_needed([name], fitting + step) > limit
    with pytest.raises(nx.InputError, match="choose a smaller network"):
        require_memory([name], 64, 1000)


def test_the_weights_of_all_networks_count():
    every = bytes_needed(MINIS, 64, 10)
    weights = [4 * nx.cost(nx.design(name), 64, 10).params for name in MINIS]
    dearest = max(activation_bytes(name, 64, 10) for name in MINIS)
    assert every == sum(weights) + dearest
    with pytest.raises(nx.InputError, match="with the weights of 2 more"):
        require_memory(MINIS, 64, every - 1, 10)


def alive(design, side):
    network = build(design, 10, image_size=side).eval()
    return count_alive(network, torch.zeros(1, 3, side, side))


@pytest.mark.parametrize(
    "text",
    [*MINIS, "resnet-18", "resnet-50", "convnext-tiny", "convnextv2-atto", "vit-s-16", "swin-t",
     "swin-t window=8", "convnext-iso-small"],
)  # fmt: skip
def test_no_more_tensors_are_alive_than_the_limit_has(text):
    for side in (32, 64, 96) if "16" not in text else (32, 64):
        found = alive(network(text), side)
        assert found <= alive_at_most(text, side, 10) <= 1.7 * found


@settings(max_examples=30, deadline=None)
@given(case=st.one_of(vits(), swins()))
def test_no_more_tensors_are_alive_in_random_transformers(case):
    design, (side, _) = case
    fields = dataclasses.asdict(design)
    name = {"vit": "vit-mini", "swin": "swin-mini"}[fields.pop("kind")]
    words = [f"{key}={str(v).strip('()').replace(' ', '')}" for key, v in fields.items()]
    text = " ".join([name, *(word.rstrip(",") for word in words)])
    assert network(text) == design
    assert alive(design, side) <= alive_at_most(text, side, 10)


@resettable
@pytest.mark.parametrize("text", ["resnet-18", "vit-s-16", "swin-mini"])
def test_a_process_grows_by_no_more_than_the_limit_has(text):
    """A convolution's copy of its weights is most of it at such sizes."""
    module = build(network(text), 10, image_size=64).eval()
    found = growth(module, torch.zeros(1, 3, 64, 64))
    assert found.bytes <= activation_bytes(text, 64, 10)


def test_what_is_measured_is_what_is_counted():
    asked = Networks(names=MINIS, sides=(32, 64), classes=10)
    found = measure_networks(asked, rounds=2, memory=1 << 30).measured
    assert [(p.name, p.side) for p in found] == [(n, s) for s in (32, 64) for n in MINIS]
    for one in found:
        assert one.counted == one.macs == nx.cost(nx.design(one.name), one.side, 10).macs
        assert one.seconds is not None and one.seconds.count == 2
        assert 0 < one.seconds.low <= one.seconds.median <= one.seconds.high
        if one.resident is not None:  # small tensors fit into pages that are there already
            assert one.resident.bytes + (1 << 17) >= one.resident.tensors > 0


@resettable
@pytest.mark.parametrize("name", ["convnext-mini", "swin-mini"])
def test_resident_memory_is_that_of_the_tensors_alive(name):
    network = build(nx.design(name), 10, image_size=512).eval()
    image = torch.randn(4, 3, 512, 512, generator=torch.Generator().manual_seed(0))
    alive = count_alive(network, image)
    assert alive > 20e6
    assert growth(network, image).bytes == pytest.approx(alive, rel=0.03)


def test_networks_that_are_added_take_turns_with_those_that_are_there(tmp_path, monkeypatch):
    """Whichever were asked for: at a size, all points of a file are of the same rounds."""
    turns = []

    def rounds_of(calls, rounds):
        turns.append(len(calls))
        return [[float(len(turns))] * rounds for _ in calls]

    monkeypatch.setattr("nextify.scaling.measuring.networks.time_rounds", rounds_of)
    path = tmp_path / "networks.json"

    def measured(*names: str, sides=(32,)) -> list[float]:
        found = measure_networks(Networks(names=names, sides=sides, classes=10), save=path)
        return [one.seconds.median for one in found.measured]

    assert measured("convnext-mini", sides=(32, 64)) == [1.0, 2.0]
    assert measured("vit-mini", "swin-mini") == [3.0, 3.0]
    assert measured("convnext-mini", "swin-mini") == [3.0, 3.0]
    assert measured("convnext-mini", sides=(64,)) == [2.0] and turns == [1, 1, 3]
    known = [(one.name, one.side) for one in contents(path, POINTS)[1]]
    assert len(known) == len(set(known)) == 4


def test_the_words_have_the_grid_of_each_network():
    names = ("resnet-50", "vit-s-16 patch_size=14", "vit-s-16 patch_size=24")
    asked = Networks(names=names, sides=(672, 1344), shares_of=())
    assert [one.side for one in asked.curves[names[1]]] == [672, 896, 1120, 1344]
    assert [one.side for one in asked.curves[names[2]]] == list(range(672, 1345, 96))
    said = "".join(getattr(block, "text", "") for block in networks_in_words(asked))
    assert (
        "every 32 pixels between them, vit-s-16 patch_size=24 every 96, vit-s-16 patch_size=14 "
        "every 224."
    ) in said


def test_nothing_is_measured_where_one_size_does_not_fit():
    def never(line: str) -> None:
        raise AssertionError("measured")

    with pytest.raises(nx.InputError, match="would fit"):
        measure_networks(Networks(names=MINIS, sides=(32, 1024)), memory=16 << 20, told=never)


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


def test_fields_of_designs_can_be_given(capsys):
    assert main(["scale", "networks", "--formulas", "--sizes", "224", "--json", "--only",
                 "swin-t window=8,vit-b-16 patch_size=32, "
                 "convnext-tiny depths=3,3,27,3"]) == 0  # fmt: skip
    found = json.loads(capsys.readouterr().out)["points"]
    changed = (("swin-t", {"window": 8}), ("vit-b-16", {"patch_size": 32}),
               ("convnext-tiny", {"depths": (3, 3, 27, 3)}))  # fmt: skip
    assert [p["macs"] for p in found] == [nx.cost(nx.design(n, **f)).macs for n, f in changed]
    assert found[0]["name"] == "swin-t window=8"


def test_the_share_is_told_of_the_vits_that_were_asked_for(capsys):
    line = ["scale", "networks", "--formulas", "--sizes", "224", "--only"]
    assert main([*line, "resnet-50"]) == 0
    assert "half" not in capsys.readouterr().out
    assert main([*line, "resnet-50,vit-s-16"]) == 0
    answer = capsys.readouterr().out
    assert "half at" in answer and "vit-b-16" not in answer
    assert max(map(len, answer.splitlines())) <= 96


def test_tables_stay_readable_on_a_narrow_terminal(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    assert main(["scale", "networks", "--formulas", "--sizes", "224,512"]) == 0
    answer = capsys.readouterr().out
    assert max(map(len, answer.splitlines())) <= 40 and "kept in training" in answer


def test_what_was_measured_is_kept_and_gone_on_from(capsys, tmp_path, monkeypatch):
    file = tmp_path / "networks.json"
    line = ["scale", "networks", "--only", "convnext-mini", "--rounds", "1", "--threads", "1",
            "--classes", "10", "--save", str(file), "--json", "--sizes"]  # fmt: skip
    assert main([*line, "32"]) == 0
    (first,) = json.loads(capsys.readouterr().out)["points"]
    assert main([*line, "32,64"]) == 0
    again = json.loads(capsys.readouterr().out)["points"]
    assert [p["side"] for p in again] == [32, 64] and again[0] == first
    made, points = contents(file, POINTS)
    assert made["threads"] == 1 and [dataclasses.asdict(point) for point in points] == again

    def never(*_: object, **__: object) -> None:
        raise AssertionError("measured")

    monkeypatch.setattr("nextify.scaling.measuring.networks.time_rounds", never)
    assert main([*line, "32,64", "--figure", str(tmp_path)]) == 0
    assert json.loads(capsys.readouterr().out)["points"] == again
    assert (tmp_path / "networks.png").exists() and not (tmp_path / "attention-share.png").exists()
    line[line.index("--rounds") + 1] = "2"
    assert main([*line, "32"]) == 2
    assert "rounds: 1 there, 2 now" in capsys.readouterr().err
    line[line.index("--rounds") + 1] = "1"
    monkeypatch.setattr("nextify.machine.facts.processor", lambda: "another one")
    assert main([*line, "32"]) == 2
    said = capsys.readouterr().err
    assert "device: " in said and "another one now" in said


@pytest.mark.parametrize("sizes", ["224", "224,384"])
def test_a_figure_of_few_sizes_has_marks_and_ticks(sizes):
    sides = [int(side) for side in sizes.split(",")]
    curves = {name: curve(name, sides) for name in ("vit-s-16", "resnet-50")}
    figure = draw_networks(curves, [])
    for axes in figure.axes:
        low, high = axes.get_ylim()
        assert len([tick for tick in axes.get_yticks() if low <= tick <= high]) >= 3
        assert set(sides) <= set(axes.get_xticks())
        for line in axes.lines[: 2 * len(curves)]:
            assert len(line.get_xdata()) == 0 or len(sides) > 1 or line.get_marker() != ""


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
        (["--sizes", "9" * 5000], "give whole numbers below 10^9"),
        (["--sizes", "0,32"], "--sizes is '0,32'"),
        (["--max-size", "16"], "--max-size is 16; the least is 32"),
        (["--sizes", "64", "--max-size", "32"], "--max-size is 32; none of --sizes"),
        (["--only", "vit-x"], "unknown design 'vit-x'"),
        (["--only", "vit-h-14"], "no multiple of a ViT's patch_size=14"),
        (["--memory", "1MB"], "the limit is 1 MB; choose fewer or smaller networks"),
        (["--quick", "--sizes", "64"], "--quick sets the sizes, too"),
        (["--quick", "--max-size", "64"], "--quick sets the sizes, too"),
        (["--only", "swin-t window=0"], "'window' is 0"),
        (["--only", "swin-t windw=8"], "did you mean 'window'"),
        (["--only", "resnet-50,"], "--only is 'resnet-50,'"),
        (["--formulas", "--save", "x"], "--save does nothing with --formulas"),
        (["--sizes", "100"], "vit-s-16: images of 100 pixels are no multiple"),
        (["--formulas", "--rounds", "3"], "--rounds does nothing with --formulas"),
    ],
)
def test_bad_input(options, message, capsys):
    assert main(["scale", "networks", *options]) == 2
    assert message in capsys.readouterr().err
