"""A run in a folder and what was trained there, from Python."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from nextify.data import UnreadableImage
from nextify.designs import design
from nextify.errors import InputError
from nextify.network import load_network
from nextify.training import prepare, train, train_in_folder
from nextify.training.classify import answered, classify, image_files
from nextify.training.machine import deterministic
from nextify.training.seen import was_trained_on
from training.conftest import SMALL, small_recipe, small_run

DESIGN = design("convnext-mini", **SMALL)
WHOLE = {"record.json", "network.safetensors"}


def test_a_run_in_a_folder(corners, tmp_path):
    run, folder = small_run(corners), tmp_path / "runs" / "net"
    trained = train_in_folder(run, corners, folder)
    assert trained.record.result == train(run, corners).result and not trained.was_there
    names = {path.name for path in folder.iterdir()}
    assert names == {"record.json", "network.safetensors"}  # nothing to choose an epoch by
    network, card = load_network(trained.network)
    assert card.about == {"accuracy": trained.record.result.accuracy, "run": run.key,
                          "data": dict(run.data)}  # fmt: skip
    assert answered(network, card, corners).scores.accuracy == trained.record.result.accuracy
    assert was_trained_on(card, corners)
    assert not was_trained_on(card, replace(corners, fingerprint="1" * 64))


def test_a_folder_that_holds_the_run_already(corners, tmp_path):
    run = small_run(corners, epochs=1)
    first = train_in_folder(run, corners, tmp_path)
    (tmp_path / "checkpoint.pt").touch()  # of a kill before it was removed
    again = train_in_folder(run, corners, tmp_path)
    assert again.was_there and again.network == first.network
    assert not (tmp_path / "checkpoint.pt").exists()
    assert json.dumps(again.record.as_dict()) == json.dumps(first.record.as_dict())
    with pytest.raises(InputError, match="holds another run"):
        train_in_folder(small_run(corners, seed=1, epochs=1), corners, tmp_path)


def test_a_run_that_diverges_leaves_no_network(corners, tmp_path):
    run = small_run(corners, epochs=1, learning_rate=1e30)
    trained = train_in_folder(run, corners, tmp_path)
    assert trained.record.outcome == "diverged" and trained.network is None
    assert train_in_folder(run, corners, tmp_path).record.curve == trained.record.curve


def test_an_interrupted_run_goes_on(corners, tmp_path):
    run = small_run(corners, epochs=2)

    def stop(step: int, steps: int) -> None:
        if step > steps // 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt, match="goes on from the last whole epoch"):
        train_in_folder(run, corners, tmp_path, on_step=stop)
    assert (tmp_path / "checkpoint.pt").exists()
    steps: list[int] = []
    found = train_in_folder(run, corners, tmp_path, on_step=lambda step, _: steps.append(step))
    assert min(steps) == 9 and found.record.result == train(run, corners).result


def test_a_record_of_values_of_another_kind_is_refused_in_one_line(corners, tmp_path):
    run, file = small_run(corners, epochs=1), tmp_path / "record.json"
    train_in_folder(run, corners, tmp_path)
    values = json.loads(file.read_text())
    for changed, words in (
        ({"outcome": "done"}, "field 'outcome' is 'done'"),
        ({"outcome": "failed"}, "field 'outcome' is 'failed', and there is a result"),
        ({"key": 3}, "field 'key' is 3; it must be a text"),
        ({"run": {**values["run"], "seed": 7}}, "not the key of its 'run'"),
        ({"run": []}, "field 'run' is []; it must be a table of fields"),
        ({"result": {**values["result"], "accuracy": "all"}}, "'result.accuracy' is 'all'"),
        ({"result": {**values["result"], "nll": float("nan")}}, "'result.nll' is nan"),
        ({"result": {**values["result"], "images": 10**400}}, "'result.images' is 1000"),
        ({"result": {**values["result"], "accuracy": 1 / 64}}, "answers are right"),
        ({"curve": None}, "field 'curve' is None; it must be a list"),
        ({"curve": [{}]}, "field 'curve[0].epoch' is missing"),
        ({"measured": {"seconds": True}}, "field 'measured.seconds' is True"),
        ({"mood": "good"}, "unknown field 'mood'"),
    ):
        file.write_text(json.dumps({**values, **changed}))
        with pytest.raises(InputError) as refused:
            train_in_folder(run, corners, tmp_path)
        said = str(refused.value)
        assert words in said and str(file) in said and "\n" not in said
    file.write_text(json.dumps(values)[:-1] + ', "key": "x"}')
    with pytest.raises(InputError, match="is no record"):
        train_in_folder(run, corners, tmp_path)


@pytest.mark.parametrize("damage", ["flipped", "cut", "zeroed", "empty"])
def test_a_damaged_checkpoint_is_said_and_the_training_starts_again(corners, tmp_path, damage):
    """torch reads a checkpoint in which a weight is another, without a word."""
    run, file, notes = small_run(corners, epochs=2), tmp_path / "checkpoint.pt", []

    def stop(step: int, steps: int) -> None:
        if step > steps // 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_in_folder(run, corners, tmp_path, on_step=stop)
    content, middle = bytearray(file.read_bytes()), file.stat().st_size // 2
    content[middle] ^= 64 if damage == "flipped" else 0
    content[middle : middle + 4096] = (
        bytes(4096) if damage == "zeroed" else content[middle : middle + 4096]
    )
    file.write_bytes(content[: {"cut": middle, "empty": 0}.get(damage)])
    found = train_in_folder(run, corners, tmp_path, note=notes.append)
    assert [each.replace(str(file), "FILE") for each in notes] == [
        "FILE is damaged: the training starts again from its first epoch"
    ]
    assert found.record.result == train(run, corners).result and not file.exists()


def test_a_checkpoint_that_cannot_be_used_now_is_kept(corners, tmp_path, monkeypatch):
    run, file = small_run(corners, epochs=2), tmp_path / "checkpoint.pt"

    def stop(step: int, steps: int) -> None:
        if step > steps // 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_in_folder(run, corners, tmp_path, on_step=stop)
    content = file.read_bytes()

    def full(*args, **options):
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to ...")

    with monkeypatch.context() as patched:
        patched.setattr(torch, "load", full)
        with pytest.raises(InputError, match="more memory than there is"):
            train_in_folder(run, corners, tmp_path)
    assert file.read_bytes() == content
    values = torch.load(file, weights_only=True)
    values["generators"]["drop"] = torch.zeros(16, dtype=torch.uint8)  # as of a GPU
    torch.save(values, file)
    with pytest.raises(InputError, match="was begun on a GPU; go on there"):
        train_in_folder(run, corners, tmp_path)
    file.unlink()
    file.mkdir()  # as one that may not be read: for the system's reasons, not its own
    with pytest.raises(InputError, match=r"cannot be read \(Is a directory\); mend that"):
        train_in_folder(run, corners, tmp_path)
    file.rmdir()
    file.write_bytes(content)
    found = train_in_folder(run, corners, tmp_path)
    assert found.record.result == train(run, corners).result


def test_a_run_from_weights(corners, tmp_path):
    first = train_in_folder(small_run(corners, epochs=1), corners, tmp_path)
    recipe = small_recipe(epochs=1)
    ready = prepare(DESIGN, recipe, corners, weights=first.network)
    assert ready.run.initial == ready.weights.about and not ready.weights.loaded.head_is_new
    again = prepare(DESIGN, recipe, corners, weights=first.network, new_head=True)
    assert again.weights.loaded.head_is_new and again.run.key != ready.run.key
    with pytest.raises(InputError, match="--new-head"):
        prepare(DESIGN, recipe, corners, new_head=True)


@pytest.mark.parametrize("same_bits", [True, False])
def test_the_switches_of_a_gpu_are_set_inside_only(same_bits):
    cudnn, filled = torch.backends.cudnn, torch.utils.deterministic

    def read():
        return cudnn.benchmark, cudnn.conv.fp32_precision, filled.fill_uninitialized_memory

    before = read()
    with deterministic("cuda", same_bits):
        assert torch.are_deterministic_algorithms_enabled() is same_bits
        assert read() == (not same_bits, "ieee", False)
    assert not torch.are_deterministic_algorithms_enabled()
    assert before == read() and before[1] == "tf32"
    assert cudnn.allow_tf32  # the older switch, which is read where all agree


def test_training_leaves_the_callers_switches_as_they_were(corners):
    torch.set_float32_matmul_precision("medium")
    torch.use_deterministic_algorithms(True)
    try:
        with deterministic("cpu"):
            assert torch.backends.mkldnn.matmul.fp32_precision == "ieee"
        train(small_run(corners, epochs=1), corners)
        assert torch.get_float32_matmul_precision() == "medium"
        assert torch.are_deterministic_algorithms_enabled()
        assert not torch.is_deterministic_algorithms_warn_only_enabled()
    finally:
        torch.set_float32_matmul_precision("highest")
        torch.use_deterministic_algorithms(False)


def test_training_takes_and_leaves_torchs_newer_switches(corners):
    """Where one is set, torch refuses to read the older ones."""
    of, run = torch.backends, small_run(corners, epochs=1)
    switches = of.cuda.matmul, of.cudnn.conv, of.mkldnn.matmul, of.mkldnn.conv

    def read():
        return [each.fp32_precision for each in switches]

    usual, result = read(), train(run, corners).result
    try:
        of.cuda.matmul.fp32_precision, of.cudnn.conv.fp32_precision = "tf32", "ieee"
        of.mkldnn.matmul.fp32_precision = of.mkldnn.conv.fp32_precision = "bf16"
        with pytest.raises(RuntimeError):
            torch.get_float32_matmul_precision()
        with deterministic("cuda"):
            assert set(read()) == {"ieee"}
        assert train(run, corners).result == result
        assert read() == ["tf32", "ieee", "bf16", "bf16"]
        for each in switches:
            each.fp32_precision = "none"
        of.fp32_precision = "tf32"  # of all, which they follow
        with deterministic("cuda"):
            assert set(read()) == {"ieee"}
        assert set(read()) == {"tf32"}
        of.fp32_precision = "ieee"
        assert set(read()) == {"ieee"}
    finally:
        of.fp32_precision = "none"
        for each, value in zip(switches, usual, strict=True):
            each.fp32_precision = value


@pytest.fixture
def images(tmp_path: Path) -> Path:
    folder = tmp_path / "images"
    folder.mkdir()
    for index in range(5):
        pixels = np.random.default_rng(index).integers(256, size=(20, 24, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{index}.png")
    (folder / "2.png").write_text("no image")
    return folder


def test_images_are_classified_in_batches_as_they_are_alone(corners, tmp_path, images):
    trained = train_in_folder(small_run(corners, epochs=1), corners, tmp_path / "net")
    network, card = load_network(trained.network)
    files = image_files([images / "4.png", images]).paths
    assert [path.name for path in files] == ["4.png", *(f"{at}.png" for at in range(5))]
    alone = list(classify(network, card, files, top=2))
    assert (alone[3].classes, alone[3].error.path) == ((), str(files[3]))
    for size in (2, 64):
        for one, other in zip(alone, classify(network, card, files, top=2, batch_size=size),
                              strict=True):  # fmt: skip
            assert other.image == one.image
            if one.error is None:
                assert [name for name, _ in other.classes] == [name for name, _ in one.classes]
                assert [p for _, p in other.classes] == pytest.approx([p for _, p in one.classes])
            else:
                assert isinstance(other.error, UnreadableImage) and other.classes == ()
    (only,) = classify(network, card, files[:1], top=99)
    assert len(only.classes) == 4 and sum(p for _, p in only.classes) == pytest.approx(1)


def test_images_are_read_when_they_are_asked_for(corners, tmp_path, images):
    trained = train_in_folder(small_run(corners, epochs=1), corners, tmp_path / "net")
    found = classify(*load_network(trained.network), image_files([images]).paths)
    next(found)
    (images / "1.png").unlink()
    assert "no such file" in next(found).error.why


def test_a_folder_that_another_training_writes_into(corners, tmp_path):
    """What it holds then is the other's, and a second start of the same run waits for nothing."""
    tries: list[str] = []

    def start_another(step: int, steps: int) -> None:
        if not tries:
            for seed in (0, 1):
                with pytest.raises(InputError, match="another process") as refused:
                    train_in_folder(small_run(corners, seed=seed, epochs=1), corners, tmp_path)
                tries.append(str(refused.value))

    first = train_in_folder(small_run(corners, epochs=1), corners, tmp_path, on_step=start_another)
    assert len(tries) == 2 and all("--output" in said for said in tries)
    assert json.loads((tmp_path / "record.json").read_text())["key"] == first.record.key
    assert {path.name for path in tmp_path.iterdir()} == WHOLE


@pytest.mark.parametrize("moment", ["record.json", "checkpoint.pt", "best.safetensors"])
def test_what_a_kill_leaves_is_gone_after_the_next_start(corners, tmp_path, moment):
    """Also where that has nothing to do, or never writes the file that was being written."""
    run = small_run(corners, epochs=1)
    train_in_folder(run, corners, tmp_path)
    if moment == "record.json":  # killed while it was written: all else is there
        (tmp_path / "record.json").unlink()
    (tmp_path / "checkpoint.pt").unlink(missing_ok=True)
    (tmp_path / f".{moment}.partial").write_text("half")
    (tmp_path / f".{moment}.0a1b2c3d.partial").write_text("half")
    train_in_folder(run, corners, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == WHOLE


def test_batch_norm_and_a_batch_of_one(corners):
    tiny = replace(corners, image_size=4)
    with pytest.raises(InputError, match="batch_size of 2 or more"):
        prepare(design("resnet-small", **SMALL), small_recipe(batch_size=1), tiny)
    prepare(design("resnet-small", **SMALL), small_recipe(batch_size=2), tiny)
    prepare(DESIGN, small_recipe(batch_size=1), tiny)


def test_a_lock_that_a_kill_has_left_goes_with_the_next_start(corners, tmp_path):
    run = small_run(corners, epochs=1)
    train_in_folder(run, corners, tmp_path)
    (tmp_path / ".lock").write_text("1")
    assert train_in_folder(run, corners, tmp_path).was_there
    assert {path.name for path in tmp_path.iterdir()} == WHOLE
