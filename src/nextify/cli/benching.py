"""The command bench."""

from dataclasses import asdict
from typing import Any

import torch

from nextify.cli.reading import design_from, sizes_of
from nextify.cli.show import note, print_json, print_table, say
from nextify.commands.bars import share_bar
from nextify.costs.spread import Spread
from nextify.errors import InputError
from nextify.machine.facts import environment
from nextify.measuring import Benchmark, Conditions, Measurement, bench, installed
from nextify.measuring.clock import Effort
from nextify.measuring.conditions import EXPORTED, Runtime
from nextify.requests import Bench
from nextify.training.machine import usable_device
from nextify.words import bytes_in_words
from nextify.words import plural as many


def run(request: Bench, as_json: bool) -> int:
    """Carry out bench."""
    overrides = [word for word in request.designs if "=" in word]
    names = (word for word in request.designs if "=" not in word)
    designs = {name: design_from(name, overrides) for name in names}
    if not designs:
        raise InputError("no design is named; `nextify designs` lists them")
    conditions = _conditions(request)
    found: dict[str, Benchmark] = {}
    for at, (name, design) in enumerate(designs.items(), start=1):
        shown = f"{name} ({at} of {len(designs)})" if len(designs) > 1 else name
        with share_bar(shown) as on_progress:
            found[name] = bench(
                design,
                conditions,
                beside=request.beside,
                training=request.training,
                memory=request.memory,
                effort=Effort(seconds=request.seconds, rounds=request.repeats),
                on_progress=on_progress,
            )
    for name, one in found.items():
        library = request.beside or "timm"
        if one.beside is None and library != "none":
            known = f"no network of {library}'s is known to be the same"
            reason = known if installed(library) else f"{library} is not installed"
            note(f"{name}: measured alone, since {reason}")
    if as_json:
        print_json(_values(found, conditions))
    else:
        _print(found, conditions)
    return 0


def _conditions(request: Bench) -> Conditions:
    size, classes = sizes_of(request.sizes)
    runtimes: Any = tuple(name.strip() for name in request.runtimes.split(","))
    return Conditions(
        image_size=size,
        classes=classes,
        batch_size=request.batch_size,
        device=usable_device(request.device),
        threads=request.threads or torch.get_num_threads(),
        precision=request.precision,
        memory_format=request.memory_format,
        runtimes=runtimes,
    )


def _values(found: dict[str, Benchmark], conditions: Conditions) -> dict[str, Any]:
    results = []
    for name, one in found.items():
        values = asdict(one)
        for each, measured in zip(values["measurements"], one.measurements, strict=True):
            each["images_per_second"] = measured.images_per_second
        results.append({"name": name, **values})
    about = {**environment(conditions.device), "threads": conditions.threads}
    about |= {name: installed(name) for name in ("timm", *_exported(conditions))}
    return {"conditions": asdict(conditions), "environment": about, "results": results}


def _exported(conditions: Conditions) -> list[Runtime]:
    return [runtime for runtime in conditions.runtimes if runtime in EXPORTED]


_TITLES = {"latency": "latency", "throughput": "throughput", "training": "training step"}
_RUNTIMES: dict[Runtime, str] = {
    "torch": "torch", "compile": "torch.compile", "onnxruntime": "ONNX Runtime",
    "openvino": "OpenVINO", "graph": "CUDA graph",
}  # fmt: skip


def _print(found: dict[str, Benchmark], conditions: Conditions) -> None:
    measured = [(name, each) for name, one in found.items() for each in one.measurements]
    is_beside = any(each.beside for _, each in measured)
    memory = ["memory"] * any(each.memory is not None for _, each in measured)
    head = ["design", "what", "runtime", "batch", "n", "ms", "quartiles", "images/s", *memory]
    head += ["beside: ms", "quartiles", *memory, "ratio", "quartiles"] * is_beside
    rows = []
    for name, each in measured:
        weighed = [each.memory, each.memory_beside] if memory else []
        cells = ["" if count is None else bytes_in_words(count) for count in weighed]
        row = [name, _TITLES[each.task], _RUNTIMES[each.runtime], str(each.batch_size)]
        row += [str(each.seconds.count)]
        row += [*_ms(each.seconds), f"{each.images_per_second:,.1f}", *cells[:1]]
        rows.append(row + _beside(each, cells[1:]) * is_beside)
    say(_stated(conditions))
    print_table(head, rows)
    say(_explained(found, conditions, weighs=bool(memory)))


def _beside(one: Measurement, memory: list[str]) -> list[str]:
    if one.beside is None or one.ratio is None:
        return ["", "", *memory, "", ""]
    ratio = one.ratio
    spread = f"{ratio.low:.2f}–{ratio.high:.2f}"
    return [*_ms(one.beside), *memory, f"{ratio.median:.2f}", spread]


def _ms(of: Spread) -> tuple[str, str]:
    """The median and the quartiles, in milliseconds."""
    values = [1e3 * seconds for seconds in (of.median, of.low, of.high)]
    median, low, high = (f"{ms:,.0f}" if ms >= 1000 else f"{ms:.3g}" for ms in values)
    return median, f"{low}–{high}"


def _stated(conditions: Conditions) -> str:
    about = environment(conditions.device)
    height, width = conditions.sides
    versions = [f"torch {about['torch']}"]
    versions += [f"{_RUNTIMES[one]} {installed(one)}" for one in _exported(conditions)]
    return (
        f"{about['device']}, {many(conditions.threads or 1, 'thread')}, "
        f"{', '.join(versions)}, {conditions.precision}, {conditions.memory_format}; "
        f"{height}x{width} pixels, {conditions.classes} classes\n"
    )


def _explained(found: dict[str, Benchmark], conditions: Conditions, *, weighs: bool) -> str:
    lines = ["\nms: the median of n rounds after a warm-up, and the quartiles. images/s: at the "
             "median."]  # fmt: skip
    if _exported(conditions):
        lines.append(
            "ONNX Runtime and OpenVINO: exported, ours as `nextify export` does it; images are\n"
            "contiguous, and OpenVINO's models reshaped to the batch."
        )
    if weighs:
        lines.append("memory: peak above a process that has loaded torch, measured in one of its "
                     "own.")  # fmt: skip
    beside = [(*one.beside, one.difference) for one in found.values() if one.beside is not None]
    lines += [
        f"beside: {library} {installed(library)}'s {theirs} with the same weights; outputs differ "
        f"by {difference:.0e}."
        for library, theirs, difference in beside
    ]
    if beside:
        lines.append("ratio: their time over ours in the same round, its median and quartiles: "
                     "above 1,\nnextify is faster.")  # fmt: skip
    return "\n".join(lines)
