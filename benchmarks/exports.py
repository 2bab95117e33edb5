"""Exported networks and timm's of the same names in ONNX Runtime and OpenVINO, beside torch.

    python benchmarks/exports.py [NAME...]

Random weights, 224 x 224 pixels, batches of 1 and 16, float32, one thread; OpenVINO's models are
reshaped to the batch. Milliseconds, medians of calls by turns. Needs nextify[export] and timm.
Prints a table, then one JSON line.
"""

import json
import logging
import statistics
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnxruntime
import openvino as ov
import timm
import torch
from torch import nn
from torch.export import Dim

import nextify as nx
from nextify.measuring.clock import Effort, by_turns
from nextify.network import Card
from nextify.network.export.files import quiet, traced, write
from nextify.training.machine import plain_torch, thread_count

TIMMS = {
    "convnext-atto": "convnext_atto",
    "convnext-tiny": "convnext_tiny",
    "resnet-50": "resnet50",
}
SIZE, BATCHES = 224, (1, 16)
Call = Callable[[], object]


def in_onnxruntime(file: Path, images: np.ndarray) -> Call:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    (given,) = session.get_inputs()
    return lambda: session.run(None, {given.name: images})


def in_openvino(file: Path, images: np.ndarray) -> Call:
    core = ov.Core()
    model = core.read_model(file)
    model.reshape(images.shape)
    how = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1}
    compiled = core.compile_model(model, "CPU", how)
    return lambda: compiled(images)


def exported(name: str, folder: Path) -> tuple[nn.Module, dict[str, Path]]:
    """Our network, and the files of ours and of timm's."""
    network = nx.build(nx.design(name), 1000).eval()
    classes = tuple(map(str, range(1000)))
    card = Card(nx.design(name), classes, SIZE, (0.5,) * 3, (0.2,) * 3, {})
    files = {"ours": folder / "ours.onnx", "timm's": folder / "theirs.onnx"}
    write(traced(network, card, with_colours=False), files["ours"], card, {})
    theirs, example = timm.create_model(TIMMS[name]).eval(), torch.randn(2, 3, SIZE, SIZE)
    with quiet():
        torch.onnx.export(theirs, (example,), files["timm's"], dynamo=True,
                          dynamic_shapes=({0: Dim.DYNAMIC},))  # fmt: skip
    return network, files


def calls_of(network: nn.Module, files: dict[str, Path], batch: int) -> dict[str, Call]:
    """Ours in torch, then both exports in both runtimes."""
    images = torch.randn(batch, 3, SIZE, SIZE)
    seen = images.to(memory_format=torch.channels_last)
    runtimes = {"ONNX Runtime": in_onnxruntime, "OpenVINO": in_openvino}
    return {"torch": lambda: network(seen)} | {
        f"{runtime}, {whose}": load(file, images.numpy())
        for runtime, load in runtimes.items()
        for whose, file in files.items()
    }


@torch.inference_mode()
def main(names: list[str]) -> None:
    logging.disable(logging.WARNING)
    rows = []
    with thread_count(1), plain_torch(), TemporaryDirectory() as folder:
        for name in names or TIMMS:
            network, files = exported(name, Path(folder))
            for batch in BATCHES:
                calls = calls_of(network, files, batch)
                times = by_turns(list(calls.values()), Effort(seconds=5.0))
                told = dict(zip(calls, (1000 * statistics.median(t) for t in times), strict=True))
                if not rows:
                    print("network, images", *told, sep="  ")
                print(f"{name}, {batch}", *(f"{ms:.1f}" for ms in told.values()), sep="  ")
                rows.append({"network": name, "images": batch, **told})
    print(json.dumps(rows))


if __name__ == "__main__":
    main(sys.argv[1:])
