"""Files of torch.export that hold more than nextify writes, which torch would carry out."""

import json
import os
import pickle
from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from zipfile import ZipFile

import pytest
import torch

import nextify as nx
from nextify.designs import FAMILIES, PATHS, Design, Swin, Vit
from nextify.errors import InputError
from nextify.network import Card
from nextify.network.export.admitted import require_admitted
from nextify.network.export.files import load_exported, traced, write

CONVNEXT = replace(FAMILIES["convnextv2-atto"], depths=(1, 1), widths=(4, 6), stem_stride=2)
RESNET = Design(depths=(1, 1), widths=(4, 6), ratio=2, stem="conv_pool", stem_stride=4)
GRAPH = "models/model.json"
WEIGHTS, CONSTANTS = (f"data/{what}/model_{what}_config.json" for what in ("weights", "constants"))
Records = dict[str, bytes]


def written(path: Path, design=CONVNEXT, *, size: int = 32, with_colours: bool = False) -> Path:
    network = nx.build(design, 3, image_size=size).eval()
    colours = {"mean": (0.3, 0.4, 0.5), "std": (0.2, 0.3, 0.25)}
    card = Card(design=design, classes=tuple("abc"), image_size=size, about={}, **colours)
    images = {**colours, "input": "uint8" if with_colours else "float32"}
    write(traced(network, card, with_colours=with_colours), path, card, images)
    return path


@pytest.fixture(scope="module")
def records(tmp_path_factory) -> Records:
    with ZipFile(written(tmp_path_factory.mktemp("exported") / "net.pt2")) as archive:
        return {name.partition("/")[2]: archive.read(name) for name in archive.namelist()}


def packed(records: Records, path: Path) -> Path:
    with ZipFile(path, "w") as archive:
        for name, content in records.items():
            archive.writestr(f"net/{name}", content)
    return path


@pytest.mark.parametrize("with_colours", [False, True])
@pytest.mark.parametrize(
    "design,size",
    [
        (CONVNEXT, 32),
        (RESNET, 32),
        (PATHS["resnet50"].subset(range(1, 9, 2)), 64),
        (Vit(patch_size=8, depth=1, width=8, heads=2), 16),
        (Swin(patch_size=2, width=6, depths=(2, 2), heads=(1, 2), window=3), 22),
    ],
)
def test_what_nextify_writes_is_read(design, size, with_colours, tmp_path):
    if isinstance(design, Design) and len(design.depths) == 4:
        design = replace(design, depths=(1, 1, 1, 1), widths=(4, 6, 8, 10))
    path = written(tmp_path / "net.pt2", design, size=size, with_colours=with_colours)
    require_admitted(path)
    assert load_exported(path)(torch.zeros(1, 3, size, size)).shape == (1, 3)


def test_a_file_that_was_packed_anew_is_read(records, tmp_path):
    """As all that follow are, so that they are refused for what was put into them."""
    path = packed(records, tmp_path / "net.pt2")
    assert load_exported(path)(torch.zeros(2, 3, 40, 48)).shape == (2, 3)


class Evil:
    """Whoever unpickles it makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def in_json(name: str, change: Callable[[dict], object]) -> Callable[[Records, Path], Records]:
    """A change of a record that is JSON."""

    def changed(records: Records, _: Path) -> Records:
        content = json.loads(records[name])
        change(content)
        return {**records, name: json.dumps(content).encode()}

    return changed


def graph_of(content: dict) -> dict:
    return content["graph_module"]["graph"]


def evil_size(records: Records, mark: Path) -> Records:
    """The expression of a size, which sympy evaluates."""
    symbol = b"Symbol('s"
    at = records[GRAPH].index(symbol)
    end = records[GRAPH].index(b'"', at)
    honest = records[GRAPH][at:end]
    evil = b"[%s, open('%s', 'w').close()][0]" % (honest, str(mark).encode())
    return {**records, GRAPH: records[GRAPH][:at] + evil + records[GRAPH][end:]}


def evil_node(target: str, word: str) -> Callable[[Records, Path], Records]:
    """A node that calls something of torch, with a text."""

    def change(content: dict) -> None:
        argument = {"name": "self", "arg": {"as_string": word}, "kind": 1}
        node = {"target": target, "inputs": [argument], "outputs": [], "metadata": {},
                "is_hop_single_tensor_return": None, "name": "own"}  # fmt: skip
        graph_of(content)["nodes"].insert(0, node)

    return in_json(GRAPH, change)


def evil_object(kind: str) -> Callable[[Records, Path], Records]:
    """A constant that is pickled."""

    def changed(records: Records, mark: Path) -> Records:
        entry = {"path_name": kind, "is_param": False, "use_pickle": True, "tensor_meta": None}
        content = pickle.dumps(Evil(mark))
        config = json.dumps({"config": {"own": entry}}).encode()
        return {**records, CONSTANTS: config, f"data/constants/{kind}": content}

    return changed


def pickled_weight(content: dict) -> None:
    next(iter(content["config"].values()))["use_pickle"] = True


def evil_containers(content: dict) -> None:
    entry = content["graph_module"]["module_call_graph"][0]["signature"]
    entry["in_spec"] = entry["in_spec"].replace("builtins.dict", "collections.defaultdict")


def evil_name(content: dict) -> None:
    graph_of(content)["inputs"][-1]["as_tensor"]["name"] = "x=print('evil')"


def evil_guard(content: dict) -> None:
    content["guards_code"].append("__import__('os').getcwd() != L['input'].size()[0]")


def evil_hint(content: dict) -> None:
    size = next(
        each for value in graph_of(content)["tensor_values"].values()
        for each in value["sizes"] if "as_expr" in each
    )  # fmt: skip
    size["as_expr"]["hint"] = {"as_int": "print('evil')"}


def evil_path(content: dict) -> None:
    config = content["config"]
    config["__class__.forward"] = config.pop(next(iter(config)))


@pytest.mark.parametrize(
    "spoil,found",
    [
        (evil_size, "expr_str: [Symbol('s"),
        (evil_node("torch.os.system", "true"), "target: torch.os.system"),
        (evil_node("torch.ops.aten.from_file.default", "f"), "target: torch.ops.aten.from_file"),
        (evil_node("_operator.methodcaller", "f"), "target: _operator.methodcaller"),
        (evil_node("torch.ops.aten.relu.default", "f"), "as_string"),
        (evil_object("opaque_object_0"), "data/constants/opaque_object_0"),
        (evil_object("custom_obj_0"), "data/constants/custom_obj_0"),
        (evil_object("tensor_0"), "data/constants/tensor_0"),
        (in_json(CONSTANTS, lambda content: content.update(config={"a": {}})), CONSTANTS),
        (in_json(WEIGHTS, pickled_weight), "use_pickle"),
        (in_json(WEIGHTS, evil_path), "__class__.forward"),
        (in_json(GRAPH, evil_containers), "in_spec: [1"),
        (in_json(GRAPH, evil_name), "name: x=print"),
        (in_json(GRAPH, evil_guard), "guards_code: __import__"),
        (in_json(GRAPH, evil_hint), "as_int: print"),
        (lambda records, _: {**records, "data/aotinductor/m/m.so": b""}, "data/aotinductor/m/m.so"),
        (lambda records, _: {**records, "data/weights/model.pt": b""}, "data/weights/model.pt"),
        (lambda records, _: {**records, "models/other.json": b"{}"}, "models/other.json"),
    ],
)
def test_what_torch_would_carry_out_is_refused(spoil, found, records, tmp_path):
    mark = tmp_path / "mark"
    path = packed(spoil(records, mark), tmp_path / "evil.pt2")
    with pytest.raises(InputError) as refused:
        load_exported(path)
    told = str(refused.value)
    assert told.startswith(f"{path} holds ")
    assert found in told
    assert "\n" not in told
    assert not mark.exists()


def test_an_example_that_is_an_object_is_refused(records, tmp_path):
    """torch reads it, of tensors alone."""
    content, mark = BytesIO(), tmp_path / "mark"
    torch.save(((Evil(mark),), {}), content)
    example = {"data/sample_inputs/model.pt": content.getvalue()}
    path = packed({**records, **example}, tmp_path / "evil.pt2")
    with pytest.raises(InputError, match=r"evil\.pt2 cannot be read"):
        load_exported(path)
    assert not mark.exists()


def test_the_older_form_is_refused(records, tmp_path):
    """To which torch turns where it cannot read the newer one."""
    mark, path, nothing = tmp_path / "mark", tmp_path / "evil.pt2", BytesIO()
    torch.save({}, nothing)
    with ZipFile(path, "w") as archive:
        archive.writestr("version", "8.20")
        graph = evil_size(records, mark)[GRAPH]
        archive.writestr("serialized_exported_program.json", graph)
        for name in ("state_dict", "constants", "example_inputs"):
            archive.writestr(f"serialized_{name}.pt", nothing.getvalue())
    with pytest.raises(InputError, match=r"evil\.pt2 cannot be read"):
        load_exported(path)
    assert not mark.exists()


@pytest.mark.parametrize(
    "size",
    [
        "Symbol('s0', positive=True).__class__", "Symbol('s0')\n", "eval('1')", "Integer(*[1])",
        "Symbol('exec()')", "Add(Integer(1), 'f()')", "lambda: 1", "Max(1, key=print)",
        "Symbol('s0', integer=print())", "(Integer)(1)(2)", "1 if Integer(1) else 2", "1.5",
    ],
)  # fmt: skip
def test_what_is_no_size(size, records, tmp_path):
    def change(content: dict) -> None:
        value = next(iter(graph_of(content)["sym_int_values"].values()))
        value["as_expr"]["expr_str"] = size

    path = packed(in_json(GRAPH, change)(records, tmp_path), tmp_path / "evil.pt2")
    with pytest.raises(InputError, match="expr_str"):
        require_admitted(path)


def test_no_example_is_written(records):
    assert not records["data/sample_inputs/model.pt"]


def test_a_file_with_its_example_is_read(records, tmp_path):
    """As nextify wrote it before."""
    content = BytesIO()
    torch.save(((torch.zeros(2, 3, 128, 160),), {}), content)
    example = {"data/sample_inputs/model.pt": content.getvalue()}
    path = packed({**records, **example}, tmp_path / "net.pt2")
    assert load_exported(path)(torch.zeros(2, 3, 40, 48)).shape == (2, 3)
