"""Training that is interrupted or killed goes on, to the same bits."""

import json
import os
import signal
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from .conftest import TINY, ended, make_images, until

TRAIN = ("train", *TINY, "epochs=9")


@pytest.fixture
def pets(own_folder: Path) -> None:
    """With images to choose the best epoch by, so that there is one."""
    counts = {"train": 16, "test": 4, "val": 4}
    folders = {f"{side}/{name}": n for side, n in counts.items() for name in ("cat", "dog")}
    make_images(own_folder / "pets", folders)


def outcome(folder: str) -> dict:
    """All that training determines."""
    record = json.loads(Path(folder, "record.json").read_text())
    files = ("network.safetensors", "best.safetensors")
    tensors = {
        f"{file}:{name}": tensor.numpy().tobytes()
        for file in files
        for name, tensor in load_file(Path(folder, file)).items()
    }
    return {"key": record["key"], "result": record["result"], **tensors}


INTERRUPTED = "\nnextify: interrupted; the same command goes on from the last whole epoch in net\n"


@pytest.mark.slow
@pytest.mark.parametrize("epochs", [1, 6])
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGKILL])
def test_training_goes_on_from_an_interrupt_and_from_a_kill(processes, nextify, pets, sent, epochs):
    process = processes.start(*TRAIN, "--output", "net", still_after=epochs)
    until(Path("stands").exists, process)
    os.killpg(process.pid, sent)
    answer = ended(process)
    checkpoint = torch.load("net/checkpoint.pt", weights_only=True)
    assert checkpoint["counters"]["epoch"] == epochs and not Path("net/record.json").exists()
    if sent == signal.SIGINT:
        assert (answer.code, answer.out) == (130, "")
        assert answer.err.endswith(INTERRUPTED)
    assert processes.finish(*TRAIN, "--output", "net").code == 0
    assert nextify(*TRAIN, "--output", "whole").code == 0
    assert outcome("net") == outcome("whole")
    left = {path.name for path in Path("net").iterdir()}
    assert left == {"record.json", "network.safetensors", "best.safetensors"}


def test_an_interrupt_leaves_a_checkpoint_and_says_how_to_go_on(processes, nextify, pets, refused):
    process = processes.start("train", *TINY, "epochs=100000", "--output", "net")
    until(Path("net/checkpoint.pt").exists, process)
    os.killpg(process.pid, signal.SIGINT)
    answer = ended(process)
    assert (answer.code, answer.out) == (130, "")
    assert answer.err.endswith(INTERRUPTED)
    said = refused("train", *TINY, "epochs=3", "--output", "net")
    assert "belongs to another run" in said and "--output" in said
    Path("net/checkpoint.pt").write_bytes(b"damaged")
    again = nextify("train", *TINY, "epochs=1", "--output", "net")
    assert again.code == 0 and "checkpoint.pt is damaged: the training starts again" in again.err


def test_a_full_disk_under_the_network(processes, pets):
    answer = processes.finish("train", *TINY, "epochs=1", "--output", "net", file_limit=100_000)
    assert answer.code == 2 and answer.out == "" and answer.err.count("nextify: ") == 1
    said = answer.err.splitlines()[-1]
    assert said.startswith("nextify: cannot write network net/best.safetensors: ")
    assert list(Path("net").iterdir()) == []


def test_a_full_disk_under_the_checkpoint(processes, pets):
    answer = processes.finish("train", *TINY, "epochs=1", "--output", "net", file_limit=1_000_000)
    assert answer.code == 2 and answer.out == "" and answer.err.count("nextify: ") == 1
    said = answer.err.splitlines()[-1]
    assert said.startswith("nextify: cannot write checkpoint net/checkpoint.pt: ")
    assert [path.name for path in Path("net").iterdir()] == ["best.safetensors"]
