"""The commands that answer at once: path, designs, cost, show, recipe. No torch."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from typing import Any

from nextify import requests
from nextify.blueprint import as_text, draw, require_image_size
from nextify.cli.show import is_printable, note, print_json, print_table, say
from nextify.costs import Cost, PartCost, cost, receptive_field
from nextify.designs import (
    NAMED,
    RECIPES,
    AnyDesign,
    Design,
    Recipe,
    Step,
    Vit,
    design,
    path,
    recipe,
)
from nextify.designs.fields import hints, read_fields, written
from nextify.errors import InputError

Reading = requests.Path | requests.Designs | requests.Cost | requests.Show | requests.Recipe


def run(request: Reading, as_json: bool) -> int:
    """Carry out one of the reading commands."""
    _ANSWERS[type(request)](request, as_json)
    return 0


def design_from(name: str, overrides: Iterable[str]) -> AnyDesign:
    """A design from a name and `FIELD=VALUE` texts."""
    (fields,) = read_fields(overrides, type(design(name)))
    return design(name, **fields)


def sizes_of(asked: requests.Sizes) -> tuple[int | tuple[int, int], int]:
    """The images' size in pixels and the number of classes; by default ImageNet's."""
    return asked.image_size or 224, asked.classes or 1000


def _path(request: requests.Path, as_json: bool) -> None:
    (fields,) = read_fields(request.changes, Design)
    chosen = path(request.name).with_design_fields(fields)
    size = request.sizes.image_size or chosen.image_size
    classes = request.sizes.classes or chosen.classes
    steps = [(step, cost(step.design, size, classes)) for step in chosen.all_steps()]
    if as_json:
        print_json([_step_values(step, counted) for step, counted in steps])
        return
    side = f"{size}x{size}" if isinstance(size, int) else f"{size[0]}x{size[1]}"
    say(f"{chosen.name}: {side} pixels, {classes} classes\n")
    _print_steps(steps, is_papers=not fields and (size, classes) == (224, 1000))


def _step_values(step: Step, counted: Cost) -> dict[str, Any]:
    paper, told = step.paper, ("variant", "changed", "recipe")
    return {
        "step": step.name,
        **{name: getattr(step, name) for name in told},
        "design": asdict(step.design),
        "params": counted.params,
        "macs": counted.macs,
        "paper_gmacs": paper.gmacs if paper else None,
        "paper_accuracy": paper.accuracy if paper else None,
        "paper_accuracy_sd": paper.sd if paper else None,
        "note": paper.note if paper else "",
    }


def _print_steps(steps: list[tuple[Step, Cost]], *, is_papers: bool) -> None:
    notes = {step.name: step.paper.note for step, _ in steps if step.paper and step.paper.note}
    marks = {name: "*" * at for at, name in enumerate(notes, start=1)}
    has_paper = any(step.paper for step, _ in steps)
    unit, scale = ("GMACs", 1e9) if steps[0][1].macs >= 1e9 else ("M MACs", 1e6)
    rows = []
    for step, counted in steps:
        name = f"({step.name})" if step.variant else step.name
        row = [name, step.changed, f"{counted.params:,}", f"{counted.macs / scale:.3f}"]
        rows.append(row + _paper_cells(step, marks) * has_paper)
    head = ["step", "what changed", "params", unit]
    print_table(head + ["paper GMACs", "paper top-1"] * has_paper, rows)
    say("")
    if any(step.variant for step, _ in steps):
        say("Steps in brackets were tried and not kept.")
    if has_paper:
        say("paper: arXiv 2201.03545, Tables 10 and 11, ImageNet-1K; its FLOPs count MACs.")
    if has_paper and not is_papers:
        say("The paper's numbers are for 224x224 pixels, 1000 classes and its own designs.")
    for name, text in notes.items():
        say(f"{marks[name]} {text}.")


def _paper_cells(step: Step, marks: dict[str, str]) -> list[str]:
    if step.paper is None:
        return ["", ""]
    spread = f" ± {step.paper.sd:.2f}" if step.paper.sd is not None else ""
    mark = marks.get(step.name, "")
    return [f"{step.paper.gmacs:.2f}{mark}", f"{step.paper.accuracy:.2f}{spread}"]


def _designs(request: requests.Designs, as_json: bool) -> None:
    size = sizes_of(request.sizes)
    every = ((name, one, _cost_of(name, one, *size)) for name, one in NAMED.items())
    found = [(name, one, counted) for name, one, counted in every if counted]
    if as_json:
        print_json([
            {"name": name, "design": asdict(one), "params": c.params, "macs": c.macs}
            for name, one, c in found
        ])  # fmt: skip
        return
    rows = [
        [name, *map(written, _stages(one)), f"{c.params:,}", f"{c.macs / 1e9:.3f}"]
        for name, one, c in found
    ]
    print_table(["design", "depths", "widths", "params", "GMACs"], rows)


def _stages(one: AnyDesign) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Blocks and channels of each stage."""
    return ((one.depth,), (one.width,)) if isinstance(one, Vit) else (one.depths, one.widths)


def _cost_of(name: str, one: AnyDesign, size: int | tuple[int, int], classes: int) -> Cost | None:
    """None, with a note, for a ViT whose patches do not divide the images."""
    try:
        return cost(one, size, classes)
    except InputError as error:
        if isinstance(one, Vit):
            note(f"{name} is left out: {error}")
            return None
        raise InputError(f"{name}: {error} (see `nextify cost {name}`)") from None


def _cost(request: requests.Cost, as_json: bool) -> None:
    chosen = design_from(request.design, request.changes)
    counted = cost(chosen, *sizes_of(request.sizes))
    if as_json:
        print_json({
            "design": asdict(chosen), "flops": counted.flops, **asdict(counted),
            "receptive_field": receptive_field(chosen, counted.image_size),
        })  # fmt: skip
        return
    _print_cost(request.design, counted, counted.layers if request.layers else counted.sections)
    fields = ", ".join(f"{field:,}" for field in receptive_field(chosen, counted.image_size))
    say(f"receptive field, after each stage: {fields} pixels a side, as if the image went on.")


def _print_cost(name: str, counted: Cost, parts: Sequence[PartCost]) -> None:
    head = ["part", "output", "params", "share", "", "M MACs", "share", ""]
    head += ["training MB", "share", "", "inference MB", "moved MB"]
    rows = [[part.name, "x".join(map(str, part.shape)), *_amounts(part, counted)] for part in parts]
    height, width = counted.image_size
    say(f"{name}: {height}x{width} pixels, {counted.classes} classes\n")
    print_table(head, [*rows, ["total", "", *_amounts(counted, counted)]])
    say(
        "\nMACs: multiply-accumulates of convolutions, linear layers and attention for one image;\n"
        f"FLOPs, two for each, are {counted.flops / 1e6:,.2f} M.\n"
        "training: activations that the backward pass keeps for one image. inference: the peak of\n"
        "activations alive at once. moved: inputs, weights and outputs of all layers. All bytes "
        "are\nof float32; MB are 10^6."
    )


def _amounts(part: PartCost | Cost, total: Cost) -> list[str]:
    cells: list[str] = []
    for amount, of, text in (
        (part.params, total.params, f"{part.params:,}"),
        (part.macs, total.macs, f"{part.macs / 1e6:,.2f}"),
        (part.training_bytes, total.training_bytes, f"{part.training_bytes / 1e6:,.2f}"),
    ):
        share = amount / of
        cells += [text, "100%", ""] if part is total else [text, f"{share:.1%}", _bar(share)]
    return [*cells, f"{part.inference_bytes / 1e6:,.2f}", f"{part.moved_bytes / 1e6:,.2f}"]


def _bar(share: float) -> str:
    """Up to eight cells for a share from 0 to 1."""
    full, eighths = divmod(round(share * 64), 8)
    bar = "█" * full + "▏▎▍▌▋▊▉"[eighths - 1 : eighths] if eighths else "█" * full
    return bar if is_printable(bar) else "#" * round(share * 8)


def _show(request: requests.Show, as_json: bool) -> None:
    size, classes = sizes_of(request.sizes)
    chosen = design_from(request.design, request.changes)
    if isinstance(chosen, Vit):
        require_image_size(chosen, size)
    blueprint = draw(chosen, classes, size)
    if as_json:
        print_json(asdict(blueprint))
    else:
        say(as_text(blueprint))


def _recipe(request: requests.Recipe, as_json: bool) -> None:
    shown, values = RECIPES, {name: asdict(one) for name, one in RECIPES.items()}
    if request.changes and not request.name:
        raise InputError(f"{request.changes[0]!r} changes a recipe; name it before, as modern")
    if request.name:
        (fields,) = read_fields(request.changes, Recipe)
        chosen = recipe(request.name, **fields)
        shown, values = {"value": chosen}, asdict(chosen)
    if as_json:
        print_json(values)
        return
    every = shown.values()
    rows = [[name, *(written(getattr(one, name)) for one in every)] for name in hints(Recipe)]
    print_table(["field", *shown], rows)


_ANSWERS: dict[type, Callable[[Any, bool], None]] = {
    requests.Path: _path,
    requests.Designs: _designs,
    requests.Cost: _cost,
    requests.Show: _show,
    requests.Recipe: _recipe,
}
