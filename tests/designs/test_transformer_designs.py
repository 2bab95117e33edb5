"""Transformers as designs: what is refused, and that JSON keeps them."""

import json
from dataclasses import asdict

import pytest

import nextify as nx
from nextify.designs import FAMILIES, NAMED, AnyDesign, Run
from nextify.designs.families import TRANSFORMERS
from nextify.designs.fields import read_fields
from nextify.designs.values import read_value
from nextify.records import Cell, Plan, plan_from_dict
from recorded_runs import run_from_dict

DATA = {"name": "embedded", "fingerprint": "f", "image_size": 28, "classes": 10,
        "train": 100, "test": 10}  # fmt: skip


def from_json(values):
    return read_value(AnyDesign, values, "design")


@pytest.mark.parametrize("name", TRANSFORMERS)
def test_runs_and_plans_survive_json(name):
    design, recipe = nx.design(name), nx.recipe("modern-small")
    run = Run(design=design, recipe=recipe, data=DATA)
    assert run_from_dict(json.loads(json.dumps(run.as_dict()))) == run
    cell = Cell(name=name, changed="", design=design, recipe_name="modern-small", recipe=recipe,
                params=1, macs=1)  # fmt: skip
    plan = Plan(name="n", title="t", cells=(cell,), seeds=(0,), data=DATA, data_source="")
    again = plan_from_dict(json.loads(json.dumps(plan.as_dict())))
    assert again == plan and again.run(again.cells[0], 0).key == run.key


def test_keys_are_as_before_there_were_transformers():
    """Recorded runs stay valid: a convolutional design's JSON has no kind, and its key is that of
    the first study files."""
    run = Run(design=nx.design("convnext-mini"), recipe=nx.recipe("modern-small"), data=DATA)
    assert "kind" not in run.as_dict()["design"]
    assert run.key == "1b68d7fc48533ae48f82d9ba456f79f3d5872da6071616217ecf3231c4976916"


def test_keys_differ():
    recipe = nx.recipe("modern-small")
    keys = {Run(design=one, recipe=recipe, data=DATA).key for one in NAMED.values()}
    assert len(keys) == len({*NAMED.values()}) == len(FAMILIES) + len(TRANSFORMERS)


@pytest.mark.parametrize("name", ["vit-b-16", "vitb16", "ViT_B_16"])
def test_names_with_and_without_hyphens(name):
    assert nx.design(name) == nx.Vit()


def test_fields_are_read_from_text():
    (fields,) = read_fields(["heads=2,4", "depths=1,1", "mlp_ratio=2"], nx.Swin)
    design = nx.design("swin-t", **fields)
    assert (design.heads, design.depths, design.mlp_ratio) == ((2, 4), (1, 1), 2.0)
    assert design == nx.design("swin-t", heads=[2, 4], depths=[1, 1], mlp_ratio=2)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: nx.Vit(heads=5), "vit field 'width' is 768; it must be a multiple of its 5 heads"),
        (lambda: nx.Vit(depth=0), "vit field 'depth' is 0; it must be greater than 0"),
        (lambda: nx.Vit(depth=10**6), "1,000,000 blocks; at most 10,000"),
        (lambda: nx.Vit(mlp_ratio=0.001), "leaves an MLP no channel, give at least 0.0013"),
        (lambda: nx.Vit(patch_size=2.5), "'patch_size' is 2.5; it must be a whole number"),
        (lambda: nx.Swin(heads=(3,)), "one of each per stage"),
        (lambda: nx.Swin(heads=(3, 6, 12, 25)), "'width' is 768; it must be a multiple"),
        (lambda: nx.Swin(depths=(1,) * 33, heads=(1,) * 33), "33 stages; at most 32"),
        (lambda: nx.Swin(window=0), "'window' is 0"),
        (lambda: nx.design("swin-t", depth=3), "unknown swin field 'depth'"),
        (lambda: nx.design("vit-t"), "unknown design 'vit-t'"),
        (lambda: from_json({"kind": "gpt"}), "unknown kind of design: 'gpt'"),
        (lambda: from_json({"kind": "vit", "window": 7}), "unknown field of design: 'window'"),
    ],
)
def test_what_is_refused(make, message):
    with pytest.raises(nx.InputError, match=message):
        make()


def test_what_takes_convolutional_designs_says_so():
    for call in (
        lambda: nx.fit(params="5M", start="vit-b-16"),
        lambda: nx.match_cost([nx.Vit()], "macs"),
    ):
        with pytest.raises(nx.InputError, match="works with convolutional designs, and this one"):
            call()


def test_a_transformer_can_be_what_a_budget_is_like():
    found = nx.fit(like="swin-t", count=1)[0]
    assert found.macs <= nx.cost(nx.design("swin-t")).macs


@pytest.mark.parametrize("name", TRANSFORMERS)
def test_a_kind_is_what_tells_them_apart(name):
    values = asdict(nx.design(name))
    assert values["kind"] == name.partition("-")[0]
    assert from_json(values) == nx.design(name)
