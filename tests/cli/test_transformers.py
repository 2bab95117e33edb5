"""Transformers on the command line."""

import json

import pytest

from nextify.cli.main import main


def answer(capsys, *words: str) -> str:
    assert main(list(words)) == 0
    return capsys.readouterr().out


def refusal(capsys, *words: str) -> str:
    assert main(list(words)) == 2
    return capsys.readouterr().err


def test_designs_list_both(capsys):
    values = json.loads(answer(capsys, "designs", "--json"))
    kinds = {one["name"]: one["design"].get("kind") for one in values}
    assert (kinds["vit-b-16"], kinds["swin-t"], kinds["resnet-50"]) == ("vit", "swin", None)
    table = answer(capsys, "designs")
    assert "86,567,656   17.564" in table and "96,192,384,768   28,288,354" in table


def test_designs_leave_out_a_vit_that_cannot_see_the_images(capsys):
    assert main(["designs", "--image-size", "100"]) == 0
    found = capsys.readouterr()
    assert "vit-b-16" not in found.out and "swin-t" in found.out
    assert "vit-b-16 is left out: images of 100 pixels are no multiple" in found.err


def test_cost_and_show(capsys):
    values = json.loads(answer(capsys, "cost", "swin-t", "window=8", "--layers", "--json"))
    assert values["design"]["window"] == 8
    names = [layer["name"] for layer in values["layers"]]
    assert "stages.1.downsample.merging.reduction" in names
    assert "stages.0.blocks.1.attention.branch.core" in names
    shown = answer(capsys, "show", "vit-b-16", "--image-size", "384")
    assert "577 tokens of 768" in shown and "blocks.0 to blocks.11: 12 equal blocks" in shown
    shown = answer(capsys, "show", "swin-mini")
    assert "in windows of 4x4 shifted by 2" in shown and "patch merging 2x2 24 → 48" in shown


@pytest.mark.parametrize("name", ["vit-mini", "swin-mini"])
def test_train_evaluate_and_resume(name, capsys, tmp_path):
    words = ["train", name, "depths=1,1" if name == "swin-mini" else "depth=1", "epochs=1",
             "--recipe", "modern-small", "--train-limit", "128",
             "--output", str(tmp_path), "--json"]  # fmt: skip
    record = json.loads(answer(capsys, *words))
    assert record["outcome"] == "finished"
    assert record["run"]["design"]["kind"] == name.partition("-")[0]
    scores = json.loads(answer(capsys, "evaluate", str(tmp_path), "--train-limit", "128",
                               "--json"))  # fmt: skip
    assert scores["accuracy"] == record["result"]["accuracy"]
    assert json.loads(answer(capsys, *words))["key"] == record["key"]  # which it finds there


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["fit", "--base", "vit-b-16", "--params", "5M"], "fit works with convolutional designs"),
        (["path", "small", "heads=3"], "unknown field 'heads'"),
        (["cost", "vit-b-16", "kernel_size=3"], "unknown field 'kernel_size'"),
        (["cost", "vit-b-16", "--image-size", "30"], "use images of 32 pixels, or patch_size=15"),
        (["train", "vit-b-16", "--train-limit", "64"], "images of 28 pixels are no multiple"),
        (["train", "vit-mini", "--test-image-size", "32", "--train-limit", "64"],
         "positions for the images that it is trained on, of 28 pixels"),
        (["convert", "a", "b.pth", "--design", "swin-t"], "convert works with convolutional"),
    ],
)  # fmt: skip
def test_what_does_not_work_is_said(words, message, capsys):
    assert message in refusal(capsys, *words)
