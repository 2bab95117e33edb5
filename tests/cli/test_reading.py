"""The commands that answer at once, as text and as JSON."""

import itertools
import json
import subprocess
import sys

import pytest

import nextify as nx


def test_path_as_json_has_the_fields_that_stay(nextify):
    steps = json.loads(nextify("path", "resnet50", "--json").out)
    first, last = steps[0], steps[-1]
    names = {"step", "design", "params", "macs", "paper_gmacs", "paper_accuracy"}
    assert all(names <= step.keys() for step in steps)
    assert first["params"] == 25_557_032 and first["paper_accuracy"] == 76.13
    assert last["params"] == 28_589_128 and last["design"]["kernel_size"] == 7
    assert [step["step"] for step in steps if step["variant"]] == [
        "kernel size 5", "kernel size 9", "kernel size 11",
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["resnet50", "resnet200", "small"])
def test_path_as_text_has_a_line_for_every_step(nextify, name):
    answer = nextify("path", name)
    assert (answer.code, answer.err) == (0, "")
    for step in nx.path(name).all_steps():
        assert step.name in answer.out and step.changed in answer.out


def test_a_small_path_shows_costs_that_can_be_told_apart(nextify):
    steps = json.loads(nextify("path", "small", "--json").out)
    text = nextify("path", "small").out
    assert "M MACs" in text
    assert all(f"{step['macs'] / 1e6:.3f}" in text for step in steps)


def test_the_papers_numbers_are_not_given_out_as_those_of_another_design(nextify):
    hint = "The paper's numbers are for 224x224 pixels"
    assert hint not in nextify("path", "resnet50").out
    for change in (["stem_stride=2"], ["--image-size", "192"], ["--classes", "10"]):
        assert hint in nextify("path", "resnet50", *change).out


PARTS = (("resnet50", "stem_stride=2"), ("--image-size", "96"), ("--json",))


@pytest.mark.parametrize("order", list(itertools.permutations(PARTS)))
def test_fields_and_options_come_in_any_order(nextify, order):
    answer = nextify("cost", *itertools.chain(*order))
    counted = nx.cost(nx.design("resnet50", stem_stride=2), 96)
    assert json.loads(answer.out)["macs"] == counted.macs


def test_fields_may_stand_on_both_sides_of_an_option(nextify):
    answer = nextify("cost", "resnet50", "ratio=2", "--json", "stem_stride=2", "--image-size=96",
                     "norm=layer")  # fmt: skip
    design = nx.design("resnet50", stem_stride=2, ratio=2, norm="layer")
    assert json.loads(answer.out)["params"] == nx.cost(design, 96).params
    answer = nextify("recipe", "--json", "modern", "epochs=30")
    assert json.loads(answer.out)["epochs"] == 30


def test_cost_of_images_that_are_not_square(nextify):
    counted = nx.cost(nx.design("convnext-tiny"), (224, 320), 7)
    for text in ("224x320", "224X320", "224×320"):
        answer = nextify("cost", "convnext-tiny", "--image-size", text, "--classes", "7", "--json")
        values = json.loads(answer.out)
        assert values["macs"] == counted.macs and values["flops"] == 2 * counted.macs
        assert values["image_size"] == [224, 320]
        assert values["receptive_field"] == [76, 224, 1096, 1688]


def test_cost_by_section_and_by_layer(nextify):
    by_section = nextify("cost", "resnet50").out
    by_layer = nextify("cost", "resnet50", "--layers").out
    for text in (by_section, by_layer):
        assert "25,557,032" in text and "224x224 pixels, 1000 classes" in text
        assert "receptive field, after each stage: 35, 91, 267, 427 pixels a side" in text
    assert "stages.0.blocks.0.branch.spatial" in by_layer
    assert len(by_layer.splitlines()) > 100 > len(by_section.splitlines())


def test_designs(nextify):
    found = json.loads(nextify("designs", "--json").out)
    params = {entry["name"]: entry["params"] for entry in found}
    assert params["resnet-200"] == 64_673_832 and params["convnext-base"] == 88_591_464
    assert all(name in nextify("designs").out for name in params)


def test_show(nextify):
    shown = json.loads(nextify("show", "convnext-tiny", "--classes", "7", "--json").out)
    assert shown["stem"] and len(shown["stages"]) == 4
    assert "stages.3" in nextify("show", "convnext-tiny").out


def test_recipes_side_by_side_and_one_with_changes(nextify):
    every = json.loads(nextify("recipe", "--json").out)
    assert set(every) >= {"classic", "modern"}
    assert "learning_rate" in nextify("recipe").out
    assert nextify("recipe", "modern", "epochs=30").out.count("\n") == len(every["modern"]) + 2
    changed = json.loads(nextify("recipe", "modern", "epochs=30", "--json").out)
    assert changed == {**every["modern"], "epochs": 30, "warmup_epochs": 2.0, "step_epochs": 3.0}


@pytest.mark.parametrize("arguments", [["--version"], ["--help"], ["cost", "--help"]])
def test_version_and_help(nextify, arguments):
    answer = nextify(*arguments)
    assert (answer.code, answer.err) == (0, "") and answer.out


def test_help_states_the_arguments_that_every_command_takes(nextify):
    assert "design [FIELD=VALUE ...]" in nextify("cost", "--help").out


def test_no_command_prints_the_help(nextify):
    answer = nextify()
    assert answer.code == 2 and "usage: nextify" in answer.out


READING = [
    ["path", "resnet50"],
    ["designs"],
    ["cost", "resnet50"],
    ["show", "convnext-tiny"],
    ["recipe", "modern"],
    ["--help"],
    ["path", "resnet5"],
]


def test_reading_imports_nothing_heavy():
    code = (
        "import sys; from nextify.cli.main import main\n"
        f"for arguments in {READING}: main(arguments)\n"
        "heavy = {'torch', 'torchvision', 'numpy', 'scipy', 'matplotlib', 'rich', 'PIL'}\n"
        "sys.exit(str(heavy & sys.modules.keys()) if heavy & sys.modules.keys() else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
