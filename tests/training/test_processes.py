"""One run on several processes: the same images, the same bits after kills, equal losses."""

import json
import os
import socket
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest
from safetensors.torch import load_file

from training import launched

pytestmark = pytest.mark.timeout(1200)
STEPS = 7 * 8


def launch(folder: Path, what: str, *before: str) -> subprocess.Popen[str]:
    paths = [*sys.path, *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(paths)}
    command = [sys.executable, *before, launched.__file__, str(folder), what]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, env=environment, stdout=pipe, stderr=pipe, text=True)


def carried_out(folder: Path, what: str) -> Path:
    ended(launch(folder, what))
    return folder


def ended(process: subprocess.Popen[str]) -> None:
    """Wait until it ends well; torchrun ends what it has started when it is terminated."""
    try:
        said = process.communicate(timeout=900)
    finally:
        process.terminate()
        process.wait()
    assert process.returncode == 0, said


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return carried_out(tmp_path_factory.mktemp("processes") / "runs", "ordinary")


def seen(folder: Path) -> dict[int, dict[str, str]]:
    """Of each step the digests of the images and targets, by their places in the batch. Of a step
    that was repeated they are the same."""
    found: dict[int, dict[str, str]] = defaultdict(dict)
    for step, _, images in lines(folder):
        for place, digest in images.items():
            assert found[step].setdefault(place, digest) == digest, (step, place)
    return dict(found)


def losses(folder: Path) -> dict[int, list[float]]:
    found: dict[int, list[float]] = defaultdict(list)
    for step, loss, _ in lines(folder):
        found[step].append(loss)
    return dict(found)


def lines(folder: Path) -> Iterator[list]:
    for log in folder.glob("seen-*"):
        yield from map(json.loads, log.read_text().splitlines())


def weights(folder: Path) -> dict[str, bytes]:
    tensors = load_file(folder / "network.safetensors")
    return {name: tensor.numpy().tobytes() for name, tensor in tensors.items()}


def result(folder: Path) -> dict:
    return json.loads((folder / "record.json").read_text())["result"]


def same_images_and_losses(folder: Path, other: Path, steps: int = STEPS) -> None:
    assert seen(folder) == seen(other)
    assert sorted(losses(folder)) == list(range(steps))
    for step, expected in losses(other).items():
        assert losses(folder)[step] == pytest.approx([expected[0]] * len(losses(folder)[step]),
                                                     rel=0, abs=1e-5), step  # fmt: skip


@pytest.mark.parametrize("name", ["layer-2", "layer-4", "layer-2-killed", "batch-2", "batch-4-2-1"])
def test_images_and_losses_are_those_of_one_process(runs, name):
    one = runs / f"{name.partition('-')[0]}-1"
    assert {len(of) for of in seen(one).values()} == {32 if "layer" in name else 30}
    same_images_and_losses(runs / name, one)
    ours, expected = result(runs / name), result(one)
    assert ours["accuracy"] == pytest.approx(expected["accuracy"], abs=0.01)
    assert ours["nll"] == pytest.approx(expected["nll"], abs=1e-4)


def test_a_batch_in_parts_and_an_early_end_are_those_of_one_process(runs):
    steps = result(runs / "parts-1")["steps"]
    assert result(runs / "parts-2")["steps"] == steps < STEPS
    same_images_and_losses(runs / "parts-2", runs / "parts-1", steps)


def test_a_killed_run_has_the_bits_of_one_that_was_not(runs):
    assert weights(runs / "layer-2-killed") == weights(runs / "layer-2")
    assert result(runs / "layer-2-killed") == result(runs / "layer-2")


def test_the_record_says_how_many_processes_there_were(runs):
    records = {name: json.loads((runs / name / "record.json").read_text())
               for name in ("layer-1", "layer-2", "batch-4-2-1")}  # fmt: skip
    told = {name: record["environment"].get("processes") for name, record in records.items()}
    assert told == {"layer-1": None, "layer-2": [2], "batch-4-2-1": [4, 2, 1]}
    assert "processes" not in records["layer-1"]["run"]
    assert records["layer-2"]["run"]["processes"] == 2


REFUSALS = {
    "unknown": "unknown design 'convnext-min'; did you mean 'convnext-mini'?",
    "study": "`nextify study` is started 2 times by torchrun, which is for `nextify train`",
    "device": "--device cuda:1 is one for 2 processes; give --device cuda",
    "images": "has another fingerprint of the images",
    "recipe": "has another recipe than process 0; give all of them the same command",
    "version": "has another version of nextify (0.0.1) than process 0",
    "batch": "2 processes are too many for batches of 3 images, of which each takes at least two",
    "folder": "folder /dev/null cannot be made (a file is in its place)",
    "one": "process 1 on",
    "port": "cannot join",
    "death": "another process of this run has ended",
}


@pytest.mark.parametrize("name", REFUSALS)
def test_an_error_is_one_line_of_the_first_process(runs, name):
    codes, (first, other) = json.loads((runs / "refused.json").read_text())[name]
    assert codes == [2, -9 if name == "death" else 2]
    last = first.splitlines()[-1]
    assert last.startswith("nextify: ") and REFUSALS[name] in last, first
    assert "Traceback" not in first and first.count("nextify: ") == 1
    assert other == ""


def test_an_error_that_one_process_has_is_told_by_it(runs):
    codes, (first, other) = json.loads((runs / "refused.json").read_text())["own"]
    assert codes == [2, 2]
    assert other.splitlines() == ["nextify: process 1: image 5 is damaged"]
    assert "another process of this run has ended" in first


@pytest.mark.slow
def test_ten_kills_change_no_bit(tmp_path):
    runs = carried_out(tmp_path / "runs", "slow")
    for name in ("layer-1", "layer-2", "layer-4", "batch-1", "batch-4"):
        assert weights(runs / f"{name}-killed") == weights(runs / name), name
        assert result(runs / f"{name}-killed") == result(runs / name), name
        for each in (name, f"{name}-killed"):
            same_images_and_losses(runs / each, runs / f"{name.partition('-')[0]}-1")


@pytest.mark.slow
def test_torchrun_starts_it_again_and_on_several_nodes(tmp_path):
    """Its restart of all, and two nodes of one process each: the bits of two that nobody ended."""
    run = ("-m", "torch.distributed.run")
    for name, more in (("layer-whole", ()), ("layer-restarted", ("--max-restarts", "1"))):
        options = (*run, "--standalone", "--nproc-per-node", "2", *more)
        ended(launch(tmp_path / name, "torchrun", *options))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    nodes = [
        launch(tmp_path / "layer-nodes", "torchrun", *run, "--nnodes", "2", "--node-rank", rank,
               "--master-addr", "127.0.0.1", "--master-port", port)
        for rank in "01"
    ]  # fmt: skip
    for node in nodes:
        ended(node)
    for name in ("layer-restarted", "layer-nodes"):
        assert weights(tmp_path / name) == weights(tmp_path / "layer-whole")
        assert seen(tmp_path / name) == seen(tmp_path / "layer-whole")
