"""What cannot be carried out is refused in one line that names it and the remedy: see `refused`."""

import os
import re
import shutil
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from nextify.cli.main import main
from nextify.designs import Run, design, recipe
from nextify.errors import InputError
from nextify.records import SCHEMA, Store
from nextify.training.memory import require_memory

from .conftest import TINY, changed, make_images

DESIGN = [
    ("resnet5", "did you mean 'resnet-50'"),
    ("convnexttiny5", "did you mean 'convnext-tiny'"),
    ("", "design: it is empty; give a value (see"),
    ("resnet50 stem_strid=2", "did you mean 'stem_stride'"),
    ("resnet50 stem_stride=3", "it must be one of"),
    ("resnet50 stem_stride", "FIELD=VALUE"),
    ("resnet50 =", "unknown field ''"),
    ("resnet50 spatial=deepwise", "one of dense, depthwise"),
    ("resnet50 widths=", "numbers separated by commas"),
    ("resnet50 widths=64,x,256,512", "numbers separated by commas"),
    ("resnet50 widths=64,-1,256,512", "greater than 0"),
    ("resnet50 widths=1,2,3", "one of each per stage"),
    ("resnet50 kernel_size=4", "must be odd"),
    ("resnet50 layer_scale=nan", "a number or none"),
    ("resnet50 layer_scale=-1", "must not be negative"),
    ("resnet50 epochs=3", "unknown field 'epochs'"),
    ("resnet50 @file", "FIELD=VALUE"),
    ("resnet50 -3", "FIELD=VALUE"),
    ("resnet50 --image-size abc", "--image-size: it is 'abc'; give pixels, as 224 or 224x320"),
    ("resnet50 --image-size 0", "--image-size"),
    ("resnet50 --image-size -3", "--image-size"),
    ("resnet50 --image-size 224x", "--image-size"),
    ("resnet50 --image-size 1x2x3", "--image-size"),
    ("resnet50 --image-size 99999999999", "--image-size"),
    ("resnet50 --image-size 16", "stem_stride=2 would fit"),
    ("resnet50 --image-size 16x500", "stem_stride=2 would fit"),
    ("resnet50 --image-size 1", "use images of at least"),
    ("resnet50 --classes 0", "--classes: it is '0'"),
    ("resnet50 --classes x", "--classes: it is 'x'"),
    ("resnet50 --imag 96", "did you mean '--image-size'"),
    ("resnet50 --unknown 96", "unknown option of `nextify cost`: '--unknown'"),
    ("resnet50 --json=yes", "--json"),
    ("--image-size 96", "required: design"),
]


@pytest.mark.parametrize(("line", "said"), DESIGN, ids=[line for line, _ in DESIGN])
def test_a_design(refused, line, said):
    assert said in refused("cost", *line.split(" "))


RECIPE = [
    ("modrn", "did you mean 'modern'"),
    ("modern epoch=3", "did you mean 'epochs'"),
    ("modern epochs=0", "greater than 0"),
    ("modern epochs=-5", "greater than 0"),
    ("modern epochs=1e3", "a whole number"),
    ("modern batch_size=0", "greater than 0"),
    ("modern learning_rate=nan", "a number"),
    ("modern learning_rate=inf", "a number"),
    ("modern learning_rate=0", "greater than 0"),
    ("modern betas=0.9", "two numbers"),
    ("modern flip=yes", "true or false"),
    ("modern warmup_epochs=300", "less than 'epochs'"),
    ("modern mixup=-1", "must not be negative"),
    ("modern label_smoothing=2", "from 0 to 1"),
    ("modern widths=1,2", "unknown field 'widths'"),
    ("modern --epochs 0", "'epochs' is 0; it must be greater than 0"),
    ("epochs=3", "'epochs=3' changes a recipe; name it before, as modern"),
    ("--epochs 3", "'epochs=3' changes a recipe; name it before, as modern"),
]


@pytest.mark.parametrize(("line", "said"), RECIPE, ids=[line for line, _ in RECIPE])
def test_a_recipe(refused, line, said):
    assert said in refused("recipe", *line.split(" "))


def test_a_command_and_a_path(refused):
    assert "did you mean 'study'" in refused("stdy")
    assert "did you mean 'resnet50'" in refused("path", "resnet5")
    assert "free fields of this path: stem_stride" in refused("path", "small", "norm=layer")
    assert "unexpected argument 'extra'" in refused("designs", "extra")
    assert ": images of 16 pixels are too small" in refused("designs", "--image-size", "16")
    assert "required: name" in refused("path") and "FIELD" not in refused("path")
    assert refused("show", "resnet50", "--classes", "-4")


def test_a_field_given_twice(refused):
    assert "twice" in refused("cost", "resnet50", "stem_stride=1", "stem_stride=2")


@pytest.mark.parametrize("line", ["cost resnet50 widths={},1,1,1", "recipe modern epochs={}"])
def test_numbers_of_400_digits(refused, line):
    refused(*line.format("9" * 400).split(" "))


def test_huge_numbers_are_counted_and_not_made(nextify):
    assert nextify("cost", "resnet50", "widths=1000000000,1,1,1").code == 0
    assert nextify("show", "resnet50", "widths=1000000000,1,1,1").code == 0
    assert nextify("recipe", "modern", "epochs=1000000000000").code == 0


SMALL_STUDY = ("study", "small", "--data", "pets", "batch_size=16", "--no-pilot")

OPTIONS = [
    ("--seed -1", "--seed: it is '-1'; give a whole number from 0 to 2^63 - 1"),
    ("--seed 9223372036854775808", "--seed"),
    ("--seed x", "--seed"),
    ("--threads 0", "--threads"),
    ("--loaders -1", "--loaders"),
    ("--image-size 0", "--image-size"),
    ("--image-size 224x320", "--image-size"),
    ("--train-limit 0", "--train-limit"),
    ("--train-limit 1", "fewer images than the 2 classes"),
    ("--split-seed -1", "--split-seed"),
    ("--precision float16", "did you mean 'bfloat16'"),
    ("--device meta", "unknown device 'meta'. Known: cpu, cuda"),
    ("--device cuda:99", "cuda:99"),
    ("--device=", "--device: it is empty"),
    ("--output=", "--output: it is empty"),
    ("--recipe modrn", "did you mean 'modern'"),
    ("--recipe=", "--recipe: it is empty"),
    ("--data=", "--data: it is empty"),
    ("--data cifar1", "did you mean 'cifar10'"),
    ("--data ./pet", "did you mean"),
    ("--data nowhere/at/all", "does not exist"),
    ("--data launch.py", "is a file, not a folder"),
    ("--data empty", "holds no class folders"),
    ("--data loose", "holds 2 images but no class folders"),
    ("--data one", "only one class, 'cat'"),
    ("--data hollow", "class 'bird' holds no images"),
    ("--data single", "at least 2"),
    ("--image-size 2", "use images of at least"),
    ("epochs=0", "greater than 0"),
    ("epochs=-1", "greater than 0"),
    ("learning_rate=nan", "a number"),
    ("batch_size=1000", "only 32 training images; set batch_size=32 or less"),
    ("--train-limit 4", "only 4 training images; set batch_size=4 or less"),
    ("epoch=1", "did you mean 'epochs'"),
    ("widths=100000000,1,1", "choose a narrower design"),
    ("stem_stride=4", "stem_stride=2 would fit"),
    ("--sed 1", "did you mean '--seed'"),
]


@pytest.fixture
def folders(pets):
    Path("launch.py").write_text("")
    Path("empty").mkdir()
    make_images(Path(), {"loose": 2})
    make_images(Path("one"), {"cat": 3})
    make_images(Path("hollow"), {"cat": 3, "dog": 3})
    Path("hollow/bird").mkdir()
    make_images(Path("single"), {"cat": 3, "dog": 1})


@pytest.mark.parametrize(("line", "said"), OPTIONS, ids=[line for line, _ in OPTIONS])
def test_training(refused, folders, line, said):
    assert said in refused("train", *changed((*TINY, "--output", "net"), line.split(" ")))
    assert not Path("net").exists()


def test_a_batch_that_fits_no_memory():
    data = {"image_size": 224, "classes": 1000}
    large = Run(design=design("convnext-tiny"), recipe=recipe("modern", batch_size=1), data=data)
    require_memory(large)
    large = replace(large, recipe=recipe("modern", batch_size=1 << 20))
    with pytest.raises(InputError, match=r"batch_size=1048576 would take .* GiB") as refusal:
        require_memory(large)
    fitting = int(re.findall(r"set batch_size=(\d+) or less", str(refusal.value))[0])
    require_memory(replace(large, recipe=recipe("modern", batch_size=fitting)))


@pytest.mark.parametrize("where", ["taken", "taken/net", "/proc/nextify", "n" * 300])
def test_a_folder_that_cannot_be_made(refused, pets, where):
    Path("taken").write_text("")
    said = refused("train", *TINY, "epochs=1", "--output", where)
    assert where in said and "--output" in said


def test_a_record_that_is_none(refused, pets):
    Path("net").mkdir()
    for text in ("", "[]", '{"key": 3}', "\0"):
        Path("net/record.json").write_text(text)
        assert "net/record.json is no record" in refused("train", *TINY, "--output", "net")


PREDICT = [
    ("nowhere", "image nowhere does not exist"),
    ("empty", "folder empty holds no images"),
    ("n" * 300, "cannot be opened"),
    ("pets --top 0", "--top"),
    ("pets --top x", "--top"),
    ("pets --device tpu", "unknown device 'tpu'"),
]


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    folder = tmp_path_factory.mktemp("network")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("NEXTIFY_CACHE", str(folder / "cache"))
        make_images(folder / "pets", {"cat": 20, "dog": 20})
        assert main(["train", *TINY, "epochs=1", "--output", "net", "--json"]) == 0
    return folder / "net"


@pytest.mark.parametrize(("line", "said"), PREDICT, ids=[line[:20] for line, _ in PREDICT])
def test_predicting(refused, folders, network, line, said):
    assert said in refused("predict", str(network), *line.split(" "))


def test_a_network_of_other_classes_is_told_how_to_name_its_images(refused, network):
    said = refused("evaluate", str(network))  # on the embedded images
    assert (
        "(cat, dog) are not those of" in said and "name images of its classes with --data" in said
    )


@pytest.mark.parametrize(
    "line",
    ["evaluate {}", "predict {} pets", "train x --output net {}", "study {}.toml",
     "convert net o.pth --class-names {}", "scale mixers --save {}", "convert {} o.pth"],
)  # fmt: skip
def test_what_has_no_end_is_not_read(refused, pets, network, line):
    """A pipe that nobody writes into would be waited for without end."""
    shutil.copytree(network, "net")
    Path("net/record.json").unlink()
    for name in ("pipe", "pipe.toml", "net/record.json"):
        os.mkfifo(name)
    words = line.format("pipe").split(" ")
    words = ["train", *TINY, "--output", "net"] if words[0] == "train" else words
    assert "o ordinary file" in refused(*words)


def test_images_that_are_too_small_for_a_network(refused, pets, network):
    said = refused("evaluate", str(network), "--data", "pets", "--test-image-size", "3")
    assert "images of 3 pixels are too small" in said


def test_a_network_of_a_name_that_none_can_have(refused):
    assert f"network file {'n' * 300} does not exist" in refused("evaluate", "n" * 300)
    assert len(refused("evaluate", "n" * 100_000)) < 1000  # of the name, what can be read


@pytest.mark.parametrize("length", [300, 250])  # 250: what is written first is longer
def test_a_name_that_is_too_long_is_refused_before_the_work(refused, length):
    said = refused("scale", "mixers", "--save", "n" * length)
    assert "cannot be made (File name too long); name another with --save" in said


STUDY = [
    ("--seeds 0", "--seeds"),
    ("--seeds -1", "--seeds"),
    ("--seeds 1000000000000", "--seeds"),
    ("--first-seed -1", "--first-seed"),
    ("--workers 0", "--workers"),
    ("--workers 1000000", "--workers"),
    ("--file=", "--file: it is empty"),
    ("--report=", "--report: it is empty"),
    ("--precision float64", "Known: float32, bfloat16"),
    ("--data nowhere/at/all", "does not exist"),
    ("--data hollow", "class 'bird' holds no images"),
    ("--image-size 8", "stem_stride=2 would fit"),
    ("norm=layer", "free fields of this path"),
    ("epochs=0", "greater than 0"),
    ("batch_size=1000", "only 32 training images"),
    ("--file taken/a.study", "no folder taken"),
    ("--file nowhere/a.study", "no folder nowhere"),
    ("--file pets", "study file pets is a folder"),
    ("--file taken", "is not a study file"),
    ("--file other.db", "SQLite file of another program"),
    ("--file newer.study", "made by a newer version"),
    ("--file " + "n" * 300, "cannot be opened"),
    ("--file /proc/a.study", "/proc/a.study"),
]


@pytest.fixture
def study_files(folders):
    Path("taken").write_text("just some text\n" * 100)
    with sqlite3.connect("other.db") as other:
        other.execute("CREATE TABLE things (name TEXT)")
    other.close()
    Store.open("newer.study").close()
    newer = sqlite3.connect("newer.study")
    newer.execute(f"PRAGMA user_version = {SCHEMA + 1}")
    newer.close()
    Store.open("fresh.study").close()


@pytest.mark.parametrize(("line", "said"), STUDY, ids=[line[:30] for line, _ in STUDY])
def test_a_study(refused, study_files, line, said):
    assert said in refused(*changed(SMALL_STUDY, line.split(" ")))


def test_a_study_whose_default_folder_cannot_be_made(refused, pets):
    Path("runs").write_text("")
    assert "folder runs cannot be made" in refused("study", "small", "--data", "pets",
                                                   "batch_size=16")  # fmt: skip


REPORT = [
    ("nowhere.study", "does not exist"),
    ("pets", "is a folder"),
    ("taken", "is not a study file"),
    ("other.db", "another program"),
    ("newer.study", "newer version"),
    ("fresh.study", "holds no plan"),
]


@pytest.mark.parametrize(("file", "said"), REPORT)
def test_a_report(refused, study_files, file, said):
    assert said in refused("report", file)
    assert "--file" not in refused("report", file)
