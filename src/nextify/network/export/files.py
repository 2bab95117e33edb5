"""Exported networks as files: `.onnx`, `.xml` (OpenVINO) and `.pt2` (torch.export), written and
read.

Beside the graph a file holds, as texts, its format, the network's card, and all that a service has
to do to an image (`Exported.images`). The libraries are optional, and imported where they are used.
"""

import json
import logging
import os
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from dataclasses import asdict
from functools import cache, partial
from importlib import import_module
from math import inf
from pathlib import Path
from threading import RLock, get_ident
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from nextify.designs import Design
from nextify.designs.values import from_values
from nextify.errors import InputError
from nextify.files import as_text, parse_json, require_ordinary
from nextify.network.export.admitted import require_admitted
from nextify.network.export.folding import Affine
from nextify.network.export.plain import plain
from nextify.network.files import Card, load_network
from nextify.network.modules import Network
from nextify.network.weights.namings import listed

FORMAT = "nextify-export-1"
SUFFIXES = (".onnx", ".xml", ".pt2")
OPSET = 20  # the first with GELU as one operator
_MOST_BYTES = 2_000_000_000  # of a file of protocol buffers; 2^31 - 1 are its end
_SIDES = ("batch", "channels", "height", "width")
_FIELDS = ("format", "card", "images")
Floats = NDArray[np.float32]
Run = Callable[[Any], Floats]
"""Images as an array of numpy to logits."""


def library(name: str) -> Any:
    """An optional library.

    Raises:
        InputError: it is not installed.
    """
    hidden = "openvino_telemetry"  # which tells its makers of every import
    was_there = hidden in sys.modules
    if not was_there:
        sys.modules[hidden] = None  # type: ignore[assignment]
    try:
        return import_module(name)
    except ImportError as error:
        raise InputError(
            f'{name} is needed and cannot be imported ({error}); pip install "nextify[export]"'
        ) from None
    finally:
        if not was_there:
            del sys.modules[hidden]


@cache
def openvino_core() -> Any:
    """OpenVINO's, one for the process. Each new one has signals handled on a stack of its own, and
    where the first of two goes first, that of the second is left on memory that is no more: the
    next signal (Ctrl-C, the end of a child process) would end the process.

    Raises:
        InputError: as `library` does.
    """
    return library("openvino").Core()


_QUIET = RLock()  # what is changed for it belongs to the process


@contextmanager
def quiet() -> Iterator[None]:
    """Inside, exporters neither warn nor print nor log; all is about what they do themselves. What
    other threads print and log is heard; their warnings are not, for filters know no threads."""
    with _QUIET, warnings.catch_warnings(action="ignore"), redirect_stdout(_OfOthers(sys.stdout)):
        made = logging.getLogRecordFactory()
        logging.setLogRecordFactory(partial(_record, made, get_ident()))
        try:
            yield
        finally:
            logging.setLogRecordFactory(made)


class _OfOthers:
    """A stream to which the thread that makes this writes nothing."""

    def __init__(self, stream: Any) -> None:
        self.stream, self.silent = stream, get_ident()

    def write(self, text: str) -> int:
        return len(text) if get_ident() == self.silent else self.stream.write(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


def _record(made: Callable[..., logging.LogRecord], silent: int, *of: Any) -> logging.LogRecord:
    """What is logged, as no handler takes it where it is of one thread and no error."""
    record = made(*of)
    if get_ident() == silent and record.levelno <= logging.WARNING:
        record.levelno = -1
    return record


def traced(
    network: Network, card: Card, *, with_colours: bool, convolved_from: float = inf
) -> ExportedProgram:
    """The graph of a network, of any number of images and, of a convolutional design, of any size.

    Args:
        with_colours: images are (N, 3, H, W) of 8 bits, and the graph normalises them; otherwise
            they are normalised already, float32.
        convolved_from: see `plain`.
    """
    side, colours = card.image_size, _colours(card) if with_colours else None
    network_only = plain(network, (side, side), colours, convolved_from=convolved_from)
    sides: dict[int, Any] = {}
    sizes = [side, side]
    if isinstance(card.design, Design):
        sides = {2: Dim.DYNAMIC, 3: Dim.DYNAMIC}
        sizes = [4 * side, 5 * side]  # no map of one pixel, which would be taken for always one
    example = torch.zeros(2, 3, *sizes, dtype=torch.uint8 if with_colours else torch.float32)
    module = nn.Sequential(_Float(), network_only) if with_colours else network_only
    return graph(module, example, {0: Dim.DYNAMIC, **sides})


def graph(module: nn.Module, example: Tensor, sizes: Mapping[int, Any]) -> ExportedProgram:
    """The graph of a module of one input, traced with an example.

    Args:
        sizes: by axis of the input, of those that take other sizes than the example's.
    """
    with quiet():
        program = torch.export.export(module, (example,), dynamic_shapes=(sizes,), strict=False)
    ranges = program.range_constraints
    for side_of in ranges:  # sizes at which a last map has two pixels, as traced; one is as good
        ranges[side_of] = type(ranges[side_of])(1, ranges[side_of].upper)
    for node in program.graph.nodes:
        node.meta.pop("stack_trace", None)  # which has the names of folders here
    return program


class _Float(nn.Module):
    def forward(self, images: Tensor) -> Tensor:
        return images.float()


def _colours(card: Card) -> Affine:
    """Colours of 8 bits, normalised."""
    mean, std = (torch.tensor(one, dtype=torch.float64) for one in (card.mean, card.std))
    return Affine(1 / (255 * std), -mean / std)


def write(
    program: ExportedProgram, path: Path, card: Card, images: Mapping[str, Any]
) -> tuple[Path, ...]:
    """Write a graph in the format of the file's suffix. Returns the files that belong together."""
    texts = {"format": FORMAT, "card": json.dumps(asdict(card)), "images": json.dumps(images)}
    match path.suffix:
        case ".onnx":
            _write_onnx(program, path, texts)
        case ".xml":
            _write_onnx(program, path.with_suffix(".onnx"), texts)
            to_openvino(path.with_suffix(".onnx"), path)
            return path.with_suffix(".bin"), path
        case _:
            program.example_inputs = None  # which would be written out, image by image
            with quiet():
                torch.export.save(program, path, extra_files=texts)
    return (path,)


def _write_onnx(program: ExportedProgram, path: Path, texts: Mapping[str, str]) -> None:
    library("onnx").save(as_onnx(program, texts), path)


def as_onnx(program: ExportedProgram, texts: Mapping[str, str]) -> Any:
    """A graph as a model of ONNX, which says these texts of itself.

    Raises:
        InputError: it is too large, or a library is not installed.
    """
    onnx, _ = library("onnx"), library("onnxscript")
    size = sum(entry.nbytes for entry in program.state_dict.values())
    if size > _MOST_BYTES:
        raise InputError(
            f"{size:,} bytes of weights do not fit a file of this format; write a .pt2 file"
        )
    names = {"input_names": ["images"], "output_names": ["logits"]}
    with quiet():
        made = torch.onnx.export(program, dynamo=True, opset_version=OPSET, verbose=False, **names)  # type: ignore[arg-type]
    assert made is not None
    model = made.model_proto
    _tidy(model.graph)
    onnx.helper.set_model_props(model, dict(texts))
    return model


def _tidy(graph: Any) -> None:
    """Without what the exporter says of its own work, and of folders here; with names for sides."""
    for part in (*graph.node, *graph.initializer, *graph.input, *graph.output, graph):
        part.ClearField("metadata_props")
    del graph.value_info[:]
    for value in (graph.input[0], graph.output[0]):
        for at, side in enumerate(value.type.tensor_type.shape.dim):
            if side.dim_param:
                side.dim_param = _SIDES[at]


def to_openvino(source: Path, target: Path) -> None:
    """A file of ONNX as one of OpenVINO, with what it says of itself."""
    ov = library("openvino")
    model = ov.convert_model(source)  # what a core reads answers wrongly once products are rounded
    for name, text in texts_in_onnx(source).items():
        model.set_rt_info(text, ["nextify", name])
    ov.save_model(model, target, compress_to_fp16=False)  # by default numbers are cut short


def texts_in_onnx(path: Path) -> dict[str, str]:
    """What a file of ONNX says of itself."""
    model = library("onnx").load(path, load_external_data=False)
    return {entry.key: entry.value for entry in model.metadata_props}


class Exported(nn.Module):
    """An exported network at work in its own runtime, on the CPU, with as many threads as torch
    has: normalised images (N, 3, H, W) to logits (N, classes).

    Attributes:
        card: of the network. images: what is done to an image before, in words and numbers.
    """

    def __init__(self, run: Run, card: Card, images: Mapping[str, Any]) -> None:
        super().__init__()
        self.run, self.card, self.images = run, card, images

    def forward(self, images: Tensor) -> Tensor:
        side, is_fixed = self.card.image_size, not isinstance(self.card.design, Design)
        if is_fixed and images.shape[2:] != (side, side):
            raise InputError(f"this exported network takes images of {side} pixels alone; export "
                             "one that is trained with others")  # fmt: skip
        given = images.detach().cpu().float()
        if self.images["input"] == "uint8":
            colours = (self.images[name] for name in ("mean", "std"))
            mean, std = (given.new_tensor(each).view(-1, 1, 1) for each in colours)
            given = ((given * std + mean) * 255).round().clamp(0, 255).to(torch.uint8)
        found = self.run(given.contiguous().numpy())
        return torch.from_numpy(np.array(found)).to(images.device)


def load_answering(path: Path) -> tuple[nn.Module, Card]:
    """What answers images as a network does, and its card: an exported network, or a network file
    or folder as `load_network` takes it.

    Raises:
        InputError: it cannot be read.
    """
    if path.suffix not in SUFFIXES or path.is_dir():
        return load_network(path)
    exported = load_exported(path)
    return exported, exported.card


def load_exported(path: Path) -> Exported:
    """An exported network from its file.

    Raises:
        InputError: no such file, or one that nextify has not written; a library is not installed.
    """
    readers = {".onnx": _read_onnx, ".xml": _read_openvino, ".pt2": _read_torch}
    try:
        require_ordinary(path)
        with as_text(path) as name:
            run, texts = readers[path.suffix](name)
    except InputError:
        raise
    except Exception as error:  # whatever a damaged file makes the libraries raise
        reason = " ".join(str(error).split())[:160]
        raise InputError(
            f"{path} cannot be read ({reason}); give a file that `nextify export` wrote"
        ) from error
    lacking = [field for field in _FIELDS if not texts.get(field)]
    if lacking or texts["format"] != FORMAT:
        what = f"lacks {listed(lacking)}" if lacking else f"is in format {texts['format']!r}"
        raise InputError(
            f"{path} does not say how images have to look and what its classes are: its metadata "
            f"{what}; give a file that `nextify export` wrote"
        )
    try:
        card = from_values(Card, parse_json(texts["card"]))
        images = parse_json(texts["images"])
        return Exported(run, card, {**images, "input": images["input"]})
    except (KeyError, TypeError, ValueError) as error:  # an InputError is a ValueError
        raise InputError(
            f"{path} has damaged metadata ({error}); export the network again"
        ) from error


Read = tuple[Run, Mapping[str, str]]


def onnx_session(model: Path | bytes) -> Any:
    """A model of ONNX in ONNX Runtime, with as many threads as torch has."""
    runtime = library("onnxruntime")
    options = runtime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = torch.get_num_threads(), 3
    return runtime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def run_of(session: Any) -> Run:
    """What a session of ONNX Runtime answers."""
    (given,) = session.get_inputs()
    return lambda images: session.run(None, {given.name: images})[0]


def _read_onnx(path: Path) -> Read:
    session = onnx_session(path)
    if len(session.get_inputs()) != 1:
        return session.run, {}
    return run_of(session), session.get_modelmeta().custom_metadata_map


def _read_openvino(path: Path) -> Read:
    model = openvino_core().read_model(path)
    told = {field: ["nextify", field] for field in _FIELDS}
    texts = {
        field: model.get_rt_info(at).astype(str)
        for field, at in told.items() if model.has_rt_info(at)
    }  # fmt: skip
    return in_openvino(model), texts


def in_openvino(model: Any) -> Run:
    """What a model of OpenVINO answers, with as many threads as torch has."""
    settings = {  # some processors would compute in bfloat16
        "INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": torch.get_num_threads(),
    }  # fmt: skip
    compiled = openvino_core().compile_model(model, "CPU", settings)
    return lambda images: compiled(images)[0]


@contextmanager
def _no_pickles() -> Iterator[None]:
    """Inside, torch unpickles tensors alone; by default it takes any object, where that fails."""
    name = "TORCH_FORCE_WEIGHTS_ONLY_LOAD"
    before = os.environ.get(name)
    os.environ[name] = "1"
    try:
        yield
    finally:
        os.environ.pop(name) if before is None else os.environ.update({name: before})


def _read_torch(path: Path) -> Read:
    texts = dict.fromkeys(_FIELDS, "")
    require_admitted(path)
    with quiet(), _no_pickles():
        # Which would refuse a map of one pixel, of which it only says that it has not been traced.
        module = torch.export.load(path, extra_files=texts).module(check_guards=False)

    @torch.inference_mode()
    def run(images: Any) -> Floats:
        with torch.autocast("cpu", enabled=False):
            found: Floats = module(torch.from_numpy(images)).numpy()
        return found

    return run, texts
