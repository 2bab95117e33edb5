"""Fields spelled as options ask for the same; what other programs say gets a pointed answer."""

import shlex
from pathlib import Path

import pytest

from nextify.designs import Design, Recipe, Swin, Vit
from nextify.designs.fields import hints
from nextify.errors import InputError
from nextify.requests import REQUESTS, command_line, entries, made, make_parser, read, read_toml
from nextify.requests.spellings import ELSEWHERE

FIELDS = {*hints(Design), *hints(Vit), *hints(Swin), *hints(Recipe)} - {"kind"}


def asked(line: str) -> str:
    return command_line(read(shlex.split(line)).request, local=True)


SAME = [
    ("train vit-mini --epochs 3", "train vit-mini epochs=3"),
    ("train --epochs 3 vit-mini", "train vit-mini epochs=3"),
    ("train vit-mini --epochs=3 --batch-size 32 --seed 4",
     "train vit-mini epochs=3 batch_size=32 --seed 4"),
    ("train vit-mini --learning-rate 0.1 heads=4", "train vit-mini heads=4 learning_rate=0.1"),
    ("train --weights w --epochs 3", "train epochs=3 --weights w"),
    ("train --weights w epochs=3", "train epochs=3 --weights w"),
    ("cost resnet50 --kernel_size 5 --image_size 64",
     "cost resnet50 kernel_size=5 --image-size 64"),
    ("cost resnet50 --layer-scale -1", "cost resnet50 layer_scale=-1"),
    ("cost resnet50 --layer-scale=", "cost resnet50 layer_scale="),
    ("study small --no-flip", "study small flip=false"),
    ("study small --flip --seeds 3", "study small flip=true --seeds 3"),
    ("study small --flip false", "study small flip=false"),
    ("choose --params 300k --epochs 3", "choose epochs=3 --params 300k"),
    ("recipe modern --epochs 3", "recipe modern epochs=3"),
    ("path small --stem-stride 2", "path small stem_stride=2"),
    ("convert a b.pt --design d --ratio 3", "convert a b.pt ratio=3 --design d"),
    ("compare vit-mini swin-mini --epochs 3", "compare epochs=3 vit-mini swin-mini"),
    ("compare vit-mini patch_size=8 --epochs 3 swin-mini",
     "compare epochs=3 vit-mini patch_size=8 swin-mini"),
    ("bench resnet50 --batch-size 3 --kernel-size 7",
     "bench kernel_size=7 resnet50 --batch-size 3"),
    ("scale sequence --epochs 3", "scale sequence --epochs 3"),
    ("train vit-mini --output=--epochs", "train vit-mini --output=--epochs"),
]  # fmt: skip


@pytest.mark.parametrize(("line", "same"), SAME, ids=[line for line, _ in SAME])
def test_a_field_as_an_option(line, same):
    assert asked(line) == f"nextify {same}"
    assert asked(same) == f"nextify {same}"


@pytest.mark.parametrize("command", REQUESTS)
def test_every_field_is_an_option_of_every_command_that_takes_fields(command):
    kind, parser = REQUESTS[command], make_parser()
    places = [entry for entry in entries(kind) if entry.about.positional]
    taking = [entry.key for entry in places if entry.about.fields]
    own = {entry.key for entry in entries(kind)}
    before = ["a"] * sum(entry.about.many in ("", "+") for entry in places)
    for name in sorted(FIELDS - own) if taking else ():
        value = "true" if name in ("flip", "decay_everything") else "1"
        for spelling in (name, name.replace("_", "-")):
            request = read([*command.split(), *before, f"--{spelling}", value], parser).request
            assert f"{name}={value}" in getattr(request, taking[0])


def test_a_field_without_a_value():
    for line in ("train vit-mini --epochs", "train vit-mini --epochs --json"):
        with pytest.raises(InputError, match="--epochs: expected one argument"):
            asked(line)
    with pytest.raises(InputError, match="--output is followed by '--epochs'"):
        asked("train vit-mini --output --epochs 3")


def test_what_follows_two_dashes_is_no_option():
    with pytest.raises(InputError, match="unexpected argument"):
        asked("designs -- a")
    assert read(["train", "vit-mini", "--", "--epochs"]).request.changes == ("--epochs",)


def test_a_field_as_an_option_comes_before_a_files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("plan.toml").write_text('path = "small"\nchanges = {epochs = 2, crop = "none"}\n')
    assert asked("study plan.toml --epochs 5") == "nextify study small crop=none epochs=5"


def test_a_field_where_a_name_is_left_out_is_no_name(tmp_path):
    file = tmp_path / "train.toml"
    file.write_text('changes = ["epochs=3"]\nweights = "w"\n')
    kind = REQUESTS["train"]
    request = made(kind, {"design": "epochs=3", "changes": {"crop": "none"}, "weights": "w"})
    assert (request.design, request.changes) == (None, ("epochs=3", "crop=none"))
    assert read_toml(kind, file) == read(["train", "epochs=3", "--weights", "w"]).request


THEIRS = [
    ("train x --lr 0.1", "'--lr'; here it is --learning-rate, or learning_rate=VALUE"),
    ("train x --bs 3", "here it is --batch-size, or batch_size=VALUE"),
    ("train x -b 3", "'-b'; here it is --batch-size, or batch_size=VALUE"),
    ("bench x --bs 3", "here it is --batch-size (see `nextify bench --help`)"),
    ("train x --wd 3", "here it is --weight-decay"),
    ("train --model x", "it stands by its place: `nextify train DESIGN`"),
    ("evaluate --model x y", "it stands by its place: `nextify evaluate NETWORK`"),
    ("train x --img-size 3", "here it is --image-size"),
    ("study small --imgsz 3", "here it is --image-size"),
    ("cost x --num-classes 3", "here it is --classes"),
    ("cost x --num_classes=3", "here it is --classes"),
    ("train x --num-classes 3", "the folders of --data are the classes"),
    ("train x --gpus 2", "here it is --device"),
    ("study small --gpus 2", "here it is --workers"),
    ("train x --num-workers 2", "here it is --loaders"),
    ("train x --pretrained", "here it is --weights"),
    ("train x --resume", "the same command goes on"),
    ("train x --epoch 3", "here it is --epochs"),
    ("train x --learning_rat 3", "did you mean '--learning-rate'?"),
    ("train x --imag 3", "did you mean '--image-size'?"),
    ("fit --lr 3", "unknown option of `nextify fit`: '--lr'"),
]


@pytest.mark.parametrize(("line", "said"), THEIRS, ids=[line for line, _ in THEIRS])
def test_what_other_programs_call_it(line, said):
    with pytest.raises(InputError) as refusal:
        asked(line)
    assert said in str(refusal.value)


def test_every_hint_names_something_there_is():
    """A renamed option or field would leave its hints behind."""
    options = {entry.key for kind in REQUESTS.values() for entry in entries(kind)}
    for ours in ELSEWHERE.values():
        assert set(ours.split()) <= options | FIELDS
