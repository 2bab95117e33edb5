"""`nextify compare`: a study of networks on several numbers of images, from end to end."""

import json

import pytest
from huggingface_hub import constants

from nextify.records import Store

from .conftest import changed, make_images

COMPARE = ("compare", "epochs=1", "batch_size=8", "convnext-mini", "stem_stride=1", "vit-mini",
           "patch_size=4", "--data", "pets", "--image-size", "8", "--images", "1/2,1",
           "--seeds", "2", "--workers", "2", "--no-pilot")  # fmt: skip


@pytest.fixture
def pets(own_folder):
    make_images(own_folder / "pets", {"cat": 20, "dog": 20})


def test_a_comparison_and_the_same_again(nextify, pets):
    answer = nextify(*COMPARE, "--most-epochs", "2", "--json")
    assert answer.code == 0, answer.err
    values = json.loads(answer.out)
    assert (values["planned"], values["finished"]) == (8, 8)
    with Store.open(values["study"], create=False) as store:
        plan, records = store.plan(), store.records()
    assert {r.run["data"]["train"] for r in records} == {16, 32}
    assert {r.run["recipe"]["epochs"] for r in records if r.run["data"]["train"] == 16} == {2}
    assert plan.command.startswith("nextify compare epochs=1 batch_size=8 convnext-mini")
    again = nextify(*COMPARE, "--most-epochs", "2")
    assert again.code == 0 and "8 of 8 runs recorded" in again.out
    assert "None of 8 finished runs learned anything" in again.out, "of noise there is nothing"
    assert "8 finished runs learned nothing" in again.out and "These runs" in again.out
    assert len(values["learned_nothing"]) == 8
    report = nextify("report", values["study"], "--json")
    assert report.code == 0 and "comparison" in json.loads(report.out)["csv"]


def test_a_run_of_a_draw_equals_training_on_these_images(nextify, pets):
    from nextify.data import drawn, load
    from nextify.training import train
    from recorded_runs import run_from_dict

    assert nextify(*COMPARE, "--seeds", "1", "--images", "16").code == 0
    with Store.open("runs/compare-pets.study", create=False) as store:
        records = store.records()
    images = drawn(load("pets", image_size=8), 16, seed=0)
    for record in records:
        assert train(run_from_dict(record.run), images).result == record.result


def test_the_plan_says_what_would_be_trained(nextify, pets):
    answer = nextify(*COMPARE[:-1], "--plan")  # with a pilot
    assert answer.code == 0
    assert "2 networks x 2 numbers of images x 2 seeds = 8 runs, about " in answer.out
    held = json.loads(nextify(*COMPARE, "--plan", "--hold-out", "--json").out)
    assert held["plan"]["held_out"] and held["plan"]["data"]["train"] == 26


def test_rates_cross_the_networks(nextify, pets):
    answer = nextify(*COMPARE, "--plan", "--rates", "0.5,2", "--json")
    cells = json.loads(answer.out)["plan"]["cells"]
    found = {(c["network"], c["recipe"]["learning_rate"]) for c in cells}
    assert found == {("convnext-mini, rate 0.5", 4e-3), ("convnext-mini, rate 2", 1.6e-2),
                     ("vit-mini, rate 0.5", 4e-3), ("vit-mini, rate 2", 1.6e-2)}  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (["--images", "1/0"], "--images has '1/0'"),
        (["--images", "few"], "--images has 'few'"),
        (["--images", "2.5"], "--images has '2.5'"),
        (["--images", "1e9999999"], "--images has '1e9999999'"),
        (["--images", "3/2"], "--images has '3/2'"),
        (["--images", "0"], "cannot be drawn"),
        (["--images", "1000"], "cannot be drawn"),
        (["--rates", "0,1"], "--rates is '0,1'"),
        (["--target", "4M"], "--target is what all networks shall cost"),
        (["--recipe", "modrn"], "did you mean 'modern'"),
        (["kernel_size=3"], "'kernel_size'"),  # of vit-mini, the last name
        (["epochs=0"], "'epochs'"),
        (["vit-mini", "patch_size=04"], "'vit-mini' and 'vit-mini patch_size=04' are the same"),
        (["ViT_Mini"], "'vit-mini patch_size=4' and 'vit-mini' are the same"),
        (["batch_size=64"], "network 'vit-mini': recipe field 'batch_size' is 64"),
    ],
)
def test_refused_in_one_line(nextify, pets, changes, said):
    answer = nextify(*changed(COMPARE, changes))
    assert (answer.code, answer.out) == (2, "")
    assert said in answer.err and answer.err.count("\n") == 1


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("compare vit-mini convnext-mini --image-size 5000 --plan --no-pilot", "image_size=5000"),
        ("study small --image-size 5000 --plan", "image_size=5000"),
        ("train vit-mini --image-size 16000", "image_size=16000"),
    ],
)  # fmt: skip
def test_images_far_too_large_are_refused_in_one_line(nextify, pets, line, said):
    answer = nextify(*line.split())
    assert (answer.code, answer.out) == (2, "")
    assert said in answer.err and " would take " in answer.err and answer.err.count("\n") == 1


def test_no_network_is_named(nextify, pets):
    answer = nextify("compare", "epochs=3", "--data", "pets")
    assert answer.code == 2 and "no network is named" in answer.err


def test_two_of_a_kind_are_told_apart(nextify, pets):
    words = ("compare", "batch_size=8", "vit-mini", "vit-mini", "patch_size=2", "--data", "pets",
             "--image-size", "8", "--plan", "--json", "--no-pilot")  # fmt: skip
    cells = json.loads(nextify(*words).out)["plan"]["cells"]
    assert [cell["network"] for cell in cells] == ["vit-mini", "vit-mini patch_size=2"]


def test_a_field_for_all_networks_is_one_of_each(nextify, pets):
    answer = nextify("compare", "kernel_size=3", "convnext-mini", "vit-mini", "--data", "pets")
    assert answer.code == 2 and "'kernel_size' stands before the first network" in answer.err
    assert "'vit-mini' has none" in answer.err


def test_the_plan_shows_each_networks_epochs_where_they_differ(nextify, pets):
    def rows(*words):
        lines = nextify(*COMPARE, *words, "--plan").out.split("updates\n")[1].splitlines()
        return [line.split() for line in lines[1:] if line and "networks" not in line]

    assert rows() == [["32", "1", "4"], ["16", "1", "2"]]
    assert rows("epochs=3") == [
        ["convnext-mini", "32", "1", "4"],
        ["vit-mini", "32", "3", "12"],
        ["convnext-mini", "16", "1", "2"],
        ["vit-mini", "16", "3", "6"],
    ]


def test_weights_beside_names(nextify, pets, monkeypatch):
    trained = nextify("train", "convnext-mini", "stem_stride=1", "--recipe", "modern-small",
                      "epochs=1", "batch_size=8", "--data", "pets", "--image-size", "8",
                      "--output", "mine")  # fmt: skip
    assert trained.code == 0, trained.err
    beside = ("compare", "convnext-mini", "stem_stride=1", "mine", "mine", "recipe=frozen-small",
              *COMPARE[7:], "--plan")  # fmt: skip
    answer = nextify(*beside)
    assert answer.code == 0 and "mine frozen-small starts from mine (fing" in answer.err
    assert ", with its head" in answer.err and "3 networks x 2 numbers" in answer.out
    plan = json.loads(nextify(*beside, "--json").out)["plan"]
    assert "recipe=finetune-small batch_size=" in plan["command"]
    # Without a network there is one line, whoever asks for the weights.
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    lost = nextify("compare", "hf:timm/resnet18.a1_in1k", *COMPARE[7:])
    assert lost.code == 2 and lost.err.splitlines()[-1].startswith("nextify: model.safetensors of")
    assert "no network, or offline mode" in lost.err
    assert nextify("study", "small", "--weights", "mine", *COMPARE[7:11]).code == 2
