"""What may stand in a `.pt2` file: what nextify writes, and nothing else.

torch carries out what it reads: it evaluates expressions as Python, calls whatever attribute of
torch a node names, writes names into the code of a function, imports what containers name,
unpickles objects and opens compiled libraries (torch/_export/serde/serialize.py,
torch/export/pt2_archive/_package.py, torch/utils/_pytree.py).
"""

import ast
import json
import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any
from zipfile import ZipFile

from nextify.errors import InputError

_GRAPH, _WEIGHTS = "models/model.json", "data/weights/model_weights_config.json"
_CONSTANTS = "data/constants/model_constants_config.json"
_OTHERS = (
    r"data/weights/weight_\d+|data/sample_inputs/model\.pt|extra/(format|card|images)|byteorder"
    r"|archive_format|archive_version|\.data/(version|serialization_id)"
)
_OPERATORS = (
    r"_operator\.(add|floordiv)|torch\.ops\.aten\.(_assert_tensor_metadata\.default|add\.Tensor"
    r"|cat\.default|conv2d\.default|div\.Tensor|expand\.default|flatten\.using_ints|gelu\.default"
    r"|layer_norm\.default|linear\.default|matmul\.default|max_pool2d\.default|mean\.dim"
    r"|mul\.Tensor|pad\.default|permute\.default|relu\.default|reshape\.default|roll\.default"
    r"|select\.int|slice\.Tensor|softmax\.int|split\.Tensor|sqrt\.default|sum\.dim_IntList"
    r"|sym_size\.int|to\.dtype|transpose\.int|unflatten\.int|view\.default)"
)
_ARGUMENTS = r"as_(bool|device|expr|float|ints?|layout|name|none|scalar_type|sym_ints?|tensors?)"
_LEAF = '{"type": null, "context": null, "children_spec": []}'
_ONE_TENSOR = (
    f'[1, {{"type": "builtins.tuple", "context": "null", "children_spec": [{{"type": '
    f'"builtins.tuple", "context": "null", "children_spec": [{_LEAF}]}}, {{"type": '
    '"builtins.dict", "context": "[]", "children_spec": []}]}]'
)


def require_admitted(path: Path) -> None:
    """Check that a file holds no more than nextify writes, before torch reads it.

    Raises:
        InputError: it does.
    """
    found = next(_strays(path), None)
    if found is not None:
        raise InputError(
            f"{path} holds {found[:80]!r}, which nextify does not write and torch might carry "
            "out; give a file that `nextify export` wrote"
        )


def _strays(path: Path) -> Iterator[str]:
    """All that is not admitted. Records are read as torch reads them; where it fails, it goes by
    what Python's own reader finds, which is to be admitted, too."""
    from torch.export.pt2_archive import PT2ArchiveReader  # a third of a second

    records, own = PT2ArchiveReader(str(path)), (_GRAPH, _WEIGHTS, _CONSTANTS)
    with ZipFile(path) as archive:
        names = [
            *records.get_file_names(),
            *(name.partition("/")[2] or name for name in archive.namelist()),
        ]
    yield from (name for name in names if name not in own and not _is(_OTHERS)(name))
    for name in own:
        content = json.loads(records.read_string(name))
        if name != _CONSTANTS:
            yield from _strays_in(content)
        elif content != {"config": {}}:
            yield name


def _strays_in(value: Any, key: str = "") -> Iterator[str]:
    """What is not admitted of a value that stands under a key: all keys are names, and each text
    is one that its key may have."""
    match value:
        case _ if key == "use_pickle" and value is not False:
            yield key
        case dict() if key not in _TEXTS:
            for name, inner in value.items():
                if not _PATH(name) or (name.startswith("as_") and not _is(_ARGUMENTS)(name)):
                    yield name
                yield from _strays_in(inner, name)
        case list():
            for inner in value:
                yield from _strays_in(inner, key)
        case str() if key in _TEXTS and _TEXTS[key](value):
            return
        case dict() | str():
            yield f"{key}: {value}"


def _is(pattern: str) -> Callable[[str], bool]:
    """Whether a text is as a pattern says."""
    return lambda text: bool(re.fullmatch(pattern, text, re.ASCII))


@cache
def _parsed(text: str) -> ast.expr | None:
    """A text as Python; None: it is none, or one of which a reader might make another."""
    try:
        return ast.parse(text, mode="eval").body if text.isascii() and text.isprintable() else None
    except (SyntaxError, ValueError):
        return None


def _is_size(text: str) -> bool:
    """Whether a text is a size: a calculation with symbols and whole numbers."""
    return _is_number(_parsed(text))


def _is_number(node: ast.expr | None) -> bool:
    match node:
        case ast.Constant(value=int()):
            return True
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return _is_number(operand)
        case ast.Call(ast.Name("Symbol"), [ast.Constant(str(name))], keywords):
            return _is(r"s\d+")(name) and all(
                ast.unparse(each) in ("integer=True", "positive=True") for each in keywords
            )
        case ast.Call(ast.Name("Integer" | "Add" | "Mul" | "FloorDiv" | "Max" | "Min"), args, []):
            return all(_is_number(each) for each in args)
        case _:
            return False


def _is_guard(text: str) -> bool:
    """Whether a text compares sizes of the input; nextify has none of them evaluated."""
    parsed = _parsed(text)
    every = () if parsed is None else ast.walk(parsed)
    names = {
        node.id if isinstance(node, ast.Name) else node.attr
        for node in every if isinstance(node, ast.Name | ast.Attribute)
    }  # fmt: skip
    return parsed is not None and names <= {
        "L",
        "torch",
        "size",
        "sym_max",
        "sym_min",
        "max",
        "min",
    }


_NAME, _NOTE = _is(r"[A-Za-z_]\w*"), _is(r"[\w.,;]*")
_PATH = _is(r"(?!_|.*\._)[\w.]*")  # nowhere into what Python itself keeps in an object
_TEXTS: dict[str, Callable[[str], bool]] = {
    "target": _is(_OPERATORS), "expr_str": _is_size, "guards_code": _is_guard,
    "name": _NAME, "as_name": _NAME, "forward_arg_names": _NAME,
    "fqn": _PATH, "parameter_name": _PATH, "buffer_name": _PATH,
    "nn_module_stack": _NOTE, "torch_fn": _NOTE, "torch_version": _is(r"[\w.+]*"),
    "path_name": _is(r"weight_\d+"), "type": "cpu".__eq__, "verifiers": "TRAINING".__eq__,
    "in_spec": _ONE_TENSOR.__eq__, "out_spec": f"[1, {_LEAF}]".__eq__,
}  # fmt: skip
"""Which texts may stand under a key; under others there are none."""
