"""Designs for a budget."""

import json
import random
import subprocess
import sys

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.flop_counter import FlopCounterMode

import nextify as nx
from fitting.random_search import holds, random_budgets, random_search
from nextify.blueprint import draw
from nextify.cli.main import main
from nextify.costs import cost
from nextify.fitting import Fitted
from nextify.fitting.space import Space
from nextify.network import assemble

SLIM = {"params": "12.1M", "macs": "2.16G", "classes": 7000}


def counted_by_torch(one: Fitted, image_size: int, classes: int) -> tuple[int, int]:
    network = assemble(draw(one.design, classes)).eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(torch.empty(1, 3, image_size, image_size, device="meta"))
    return sum(p.numel() for p in network.parameters()), counter.get_total_flops() // 2


def test_the_budget_of_the_slim_design():
    found = nx.fit(**SLIM)
    assert len({one.design.depths for one in found}) == len(found) == 5
    assert [one.rank for one in found] == sorted((one.rank for one in found), reverse=True)
    assert found[0].rank[0] > 0.9998
    for one in found:
        params, macs = counted_by_torch(one, 224, 7000)
        assert (params, macs) == (one.params, one.macs)
        assert params <= 12_100_000 and macs <= 2_160_000_000
        assert one.binds == ("params", "macs")


def test_deterministic():
    assert nx.fit(**SLIM) == nx.fit(**SLIM)


budgets = st.fixed_dictionaries({}, optional={
    "params": st.integers(10_000, 10**9),
    "macs": st.integers(10**6, 10**11),
    "activation_memory": st.integers(10**5, 10**9),
}).filter(bool)  # fmt: skip


@settings(max_examples=15, deadline=None)
@given(
    budgets=budgets,
    start=st.sampled_from(["convnext-tiny", "convnext-mini", "resnet-18", "convnext-iso-small"]),
    multiple_of=st.sampled_from((1, 8)),
    classes=st.sampled_from((10, 1000)),
)
def test_every_design_keeps_the_budget_and_the_space(budgets, start, multiple_of, classes):
    base = nx.design(start)
    space = Space(len(base.depths), multiple_of)
    options = {"image_size": 64, "classes": classes, "start": start, "multiple_of": multiple_of}
    try:
        found = nx.fit(**budgets, **options)
    except nx.InputError as error:
        assert "the smallest possible" in str(error)
        return
    assert found
    for one in found:
        counted = cost(one.design, 64, classes)
        assert (one.params, one.macs) == (counted.params, counted.macs)
        assert one.activation_memory == counted.training_bytes
        for name, allowed in budgets.items():
            assert getattr(one, name) <= allowed
            assert one.use[name] == getattr(one, name) / allowed
        assert holds(space, one.design.depths, one.design.widths)
    params, macs = counted_by_torch(found[0], 64, classes)
    assert (params, macs) == (found[0].params, found[0].macs)


def compare_with_random_search(seed: int, tries: int) -> str | None:
    """Fit one random budget; what was wrong, if anything."""
    chance = random.Random(seed)
    start = chance.choice(("convnext-tiny", "convnext-mini", "resnet-50", "convnextv2-atto"))
    multiple_of, size = chance.choice((1, 1, 8)), chance.choice((96, 224))
    classes = chance.choice((10, 1000, 7000))
    base = nx.design(start)
    space = Space(len(base.depths), multiple_of)
    limits = random_budgets(space, base, size, classes, chance)
    best = random_search(space, base, limits, size, classes, tries, chance)
    options = {"image_size": size, "classes": classes, "start": start, "multiple_of": multiple_of}
    try:
        found = nx.fit(**limits, **options)[0].rank
    except nx.InputError:
        found = (0.0, 0.0)
    return None if found >= best else f"{start} {options} {limits}: {found} < {best}"


def test_never_worse_than_a_random_search_on_a_few_budgets():
    assert [compare_with_random_search(seed, 1000) for seed in range(8)] == [None] * 8


@pytest.mark.slow
def test_never_worse_than_a_random_search_of_ten_thousand():
    assert [compare_with_random_search(seed, 10_000) for seed in range(100)] == [None] * 100


@pytest.mark.parametrize("name", ["convnext-atto", "convnext-tiny", "convnext-base"])
def test_like_a_published_design(name):
    """These lie within the space, so their own costs can be used up."""
    model = nx.design(name)
    assert holds(Space(4), model.depths, model.widths)
    best = nx.fit(like=name, multiple_of=8)[0]
    assert set(best.use) == {"params", "macs", "activation_memory"}
    assert best.rank[0] > 0.998
    assert nx.fit(params=10**7, like=name, multiple_of=8)[0].params <= 10**7


def test_fields_left_free_are_chosen():
    found = nx.fit(params="3M", macs="300M", free=("kernel_size",), count=200)
    assert len({one.design.kernel_size for one in found}) > 3
    assert found[0].rank >= nx.fit(params="3M", macs="300M")[0].rank


def test_a_field_left_free_may_be_what_makes_small_images_fit():
    found = nx.fit(params="1M", free="stem_stride", image_size=8)
    assert {one.design.stem_stride for one in found} == {1}


def test_basic_blocks_have_no_bottleneck_to_choose():
    found = nx.fit(params="3M", start="resnet-18", free=("ratio",))
    assert {one.design.ratio for one in found} == {4}


def test_all_widths_are_multiples():
    for one in nx.fit(params="5M", multiple_of=16, count=50):
        assert all(width % 16 == 0 for width in one.design.widths)


def test_an_impossible_budget_is_answered_with_the_smallest_possible():
    with pytest.raises(nx.InputError) as caught:
        nx.fit(params=1000, macs="100G")
    depths, widths = Space(4).smallest()
    least = cost(nx.design("convnext-tiny", depths=depths, widths=widths))
    assert f"takes {least.params:,} params (given: 1,000); give at least that" in str(caught.value)
    assert "classes" not in str(caught.value)  # which are the images', under `choose`
    assert "macs" not in str(caught.value)
    (only,) = nx.fit(params=least.params)
    assert only.design.depths == depths and only.design.widths == widths


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 6), st.integers(1, 64), st.integers(0, 10**6))
def test_random_designs_are_of_the_space_and_none_is_less_than_the_smallest(stages, unit, seed):
    space = Space(stages, unit)
    depths, widths = space.sample(random.Random(seed))
    assert holds(space, depths, widths)
    for values, least in zip((depths, widths), space.smallest(), strict=True):
        assert all(value >= low for value, low in zip(values, least, strict=True))
    assert holds(space, *space.smallest())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({}, "give at least one of params, macs, activation_memory, latency, or like"),
        ({"params": 0}, "params is 0; it must be from 1 to 1e+15"),
        ({"params": "12Q"}, "params is '12Q'; give a number"),
        ({"activation_memory": "200M"}, "activation_memory is '200M'; give bytes with their unit"),
        ({"params": 10**7, "free": ("kernal_size",)}, "did you mean 'kernel_size'?"),
        ({"params": 10**7, "free": ("depths",)}, "unknown field to leave free 'depths'"),
        ({"params": 10**7, "free": ("kernel_size", "ratio", "stem", "norm")}, "80 combinations"),
        ({"params": 10**7, "multiple_of": 0}, "multiple_of is 0"),
        ({"params": 10**7, "count": 0}, "count is 0"),
        ({"params": 10**7, "classes": 0}, "classes is 0"),
        ({"params": 10**7, "classes": 1.5}, "classes is 1.5; it must be a whole number"),
        ({"params": 10**7, "count": "3"}, "count is '3'; it must be a whole number"),
        ({"params": 10**7, "multiple_of": 2.5}, "multiple_of is 2.5; it must be a whole number"),
        ({"params": 10**7, "multiple_of": 4096}, "multiple_of is 4096; it must be at most 2,048"),
        ({"params": [1]}, "params is [1]; it must be from 1 to 1e+15"),
        ({"latency": [1]}, "latency is [1]; it must be from 1us"),
        ({"params": 10**7, "free": "ratio,stem,ratio"}, "free names ratio twice; name it once"),
        ({"params": 10**7, "free": "stem_stride", "image_size": 4}, "images of 4 pixels are too"),
        ({"params": 10**7, "image_size": 8}, "images of 8 pixels are too small"),
        ({"params": 10**7, "like": "convnext-tinny"}, "did you mean 'convnext-tiny'?"),
        ({"params": 10**7, "start": nx.Design(depths=(1,) * 7, widths=(8,) * 7)}, "7 stages"),
    ],
)
def test_what_cannot_be_used_is_named(arguments, words):
    with pytest.raises(nx.InputError) as caught:
        nx.fit(**{"image_size": 224, **arguments})
    assert words in str(caught.value)


def run(capsys, *arguments: str) -> tuple[int, str, str]:
    code = main(list(arguments))
    return code, *capsys.readouterr()


def test_command_as_text_and_as_json(capsys):
    words = ["fit", "--params", "12.1M", "--macs", "2.16G", "--classes", "7000"]
    code, text, _ = run(capsys, *words)
    assert code == 0 and text.count("params, macs") == 5
    values = json.loads(run(capsys, *words, "--json", "--count", "2")[1])
    first = nx.fit(**SLIM)[0]
    assert len(values) == 2 and values[0]["params"] == first.params
    assert tuple(values[0]["design"]["depths"]) == first.design.depths
    assert ",".join(map(str, first.design.widths)) in text


def test_command_with_all_options(capsys):
    words = ["fit", "--activation-memory", "20MB", "--like", "convnext-atto", "--free",
             "stem,norm", "--multiple-of", "8", "--base", "convnext-femto",
             "--image-size", "96x128", "--classes", "10"]  # fmt: skip
    code, text, errors = run(capsys, *words)
    assert (code, errors) == (0, "") and "stem  " in text.splitlines()[0]


@pytest.mark.parametrize(
    "words",
    [["--params", "x"], [], ["--params", "1"], ["--free", "a"],
     ["--params", "1M", "--free", "kernel_size,kernel_size"]],
)  # fmt: skip
def test_command_refuses_in_one_line(capsys, words):
    code, text, errors = run(capsys, "fit", *words)
    assert (code, text) == (2, "") and errors.count("\n") == 1


def test_cost_command_has_bars_and_shares(capsys, monkeypatch):
    text = run(capsys, "cost", "convnext-tiny")[1]
    assert "█" in text and "training MB" in text and "8,911.06 M" in text
    values = json.loads(run(capsys, "cost", "convnext-tiny", "--json")[1])
    assert values["training_bytes"] == cost(nx.design("convnext-tiny")).training_bytes


def test_fitting_needs_no_torch():
    code = (
        "import sys, nextify as nx; nx.fit(params='5M'); nx.match_cost(nx.path('small'), 'macs');"
        "from nextify.cli.main import main; main(['fit', '--params', '5M']);"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], stdout=-1, check=False).returncode == 0
