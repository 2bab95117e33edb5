"""The commands that answer at once: path, designs, cost, show, recipe. No torch."""

import sys
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from nextify.blueprint import as_text, draw, require_image_size
from nextify.cli.show import note, print_json, print_table, say
from nextify.costs import Cost, LayerCost, SectionCost, cost
from nextify.designs import (
    NAMED,
    RECIPES,
    AnyDesign,
    Design,
    Path,
    Recipe,
    Step,
    Swin,
    Vit,
    design,
    path,
    recipe,
)
from nextify.designs.fields import hints, read_fields
from nextify.errors import InputError


def run(options: Namespace) -> int:
    """Carry out one of the reading commands."""
    return {
        "path": _path,
        "designs": _designs,
        "cost": _cost,
        "show": _show,
        "recipe": _recipe,
    }[options.command](options)


def design_from(name: str, overrides: list[str]) -> AnyDesign:
    """A design from a name and `FIELD=VALUE` texts."""
    (fields,) = read_fields(overrides, type(design(name)))
    return design(name, **fields)


def _path(options: Namespace) -> int:
    (fields,) = read_fields(options.overrides, Design)
    chosen = path(options.name).with_design_fields(fields)
    size = options.image_size or chosen.image_size
    classes = options.classes if options.classes is not None else chosen.classes
    is_papers = not fields and size == 224 and classes == 1000
    steps = [(step, cost(step.design, size, classes)) for step in chosen.all_steps()]
    if options.json:
        print_json([_step_values(step, counted) for step, counted in steps])
        return 0
    _print_path(chosen, steps, size, classes, is_papers)
    return 0


def _step_values(step: Step, counted: Cost) -> dict[str, Any]:
    paper = step.paper
    return {
        "step": step.name,
        "variant": step.variant,
        "changed": step.changed,
        "recipe": step.recipe,
        "design": asdict(step.design),
        "params": counted.params,
        "macs": counted.macs,
        "paper_gmacs": paper.gmacs if paper else None,
        "paper_accuracy": paper.accuracy if paper else None,
        "paper_accuracy_sd": paper.sd if paper else None,
        "note": paper.note if paper else "",
    }


def _print_path(
    chosen: Path,
    steps: list[tuple[Step, Cost]],
    size: int | tuple[int, int],
    classes: int,
    is_papers: bool,
) -> None:
    has_paper = any(step.paper for step, _ in steps)
    side = f"{size}x{size}" if isinstance(size, int) else f"{size[0]}x{size[1]}"
    say(f"{chosen.name}: {side} pixels, {classes} classes\n")
    unit, scale = ("GMACs", 1e9) if steps[0][1].macs >= 1e9 else ("M MACs", 1e6)
    head = ["step", "what changed", "params", unit]
    head += ["paper GMACs", "paper top-1"] if has_paper else []
    notes: list[str] = []
    rows = []
    for step, counted in steps:
        name = f"({step.name})" if step.variant else step.name
        row = [name, step.changed, f"{counted.params:,}", f"{counted.macs / scale:.3f}"]
        rows.append(row + (_paper_cells(step, notes) if has_paper else []))
    print_table(head, rows)
    say("")
    if any(step.variant for step, _ in steps):
        say("Steps in brackets were tried and not kept.")
    if has_paper:
        say("paper: arXiv 2201.03545, Tables 10 and 11, ImageNet-1K; its FLOPs count MACs.")
    if has_paper and not is_papers:
        say("The paper's numbers are for 224x224 pixels, 1000 classes and its own designs.")
    for text in notes:
        say(text)


def _paper_cells(step: Step, notes: list[str]) -> list[str]:
    if step.paper is None:
        return ["", ""]
    mark = ""
    if step.paper.note:
        mark = "*" * (len(notes) + 1)
        notes.append(f"{mark} {step.paper.note}.")
    spread = f" ± {step.paper.sd:.2f}" if step.paper.sd is not None else ""
    return [f"{step.paper.gmacs:.2f}{mark}", f"{step.paper.accuracy:.2f}{spread}"]


def _designs(options: Namespace) -> int:
    size = options.image_size or 224
    classes = 1000 if options.classes is None else options.classes
    found = {
        name: (one, counted)
        for name, one in NAMED.items()
        if (counted := _cost_of(name, one, size, classes)) is not None
    }
    if options.json:
        print_json(
            [
                {"name": name, "design": asdict(one), "params": c.params, "macs": c.macs}
                for name, (one, c) in found.items()
            ]
        )
        return 0
    rows = [
        [name, *map(_text, _stages(one)), f"{c.params:,}", f"{c.macs / 1e9:.3f}"]
        for name, (one, c) in found.items()
    ]
    print_table(["design", "depths", "widths", "params", "GMACs"], rows)
    return 0


def _stages(one: AnyDesign) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Blocks and channels of each stage."""
    match one:
        case Design() | Swin():
            return one.depths, one.widths
        case Vit():
            return (one.depth,), (one.width,)


def _cost_of(name: str, one: AnyDesign, size: int | tuple[int, int], classes: int) -> Cost | None:
    """None, with a note, for a ViT whose patches do not divide the images."""
    try:
        return cost(one, size, classes)
    except InputError as error:
        if isinstance(one, Vit):
            note(f"{name} is left out: {error}")
            return None
        raise InputError(f"{name}: {error} (see `nextify cost {name}`)") from None


def _cost(options: Namespace) -> int:
    chosen = design_from(options.design, options.overrides)
    classes = 1000 if options.classes is None else options.classes
    counted = cost(chosen, options.image_size or 224, classes)
    if options.json:
        print_json({"design": asdict(chosen), "flops": counted.flops, **asdict(counted)})
        return 0
    _print_cost(options.design, counted, counted.layers if options.layers else counted.sections)
    return 0


def _print_cost(name: str, counted: Cost, parts: Sequence[LayerCost | SectionCost]) -> None:
    head = ["part", "output", "params", "share", "", "M MACs", "share", ""]
    head += ["training MB", "share", "", "inference MB", "moved MB"]
    rows = [[part.name, "x".join(map(str, part.shape)), *_amounts(part, counted)] for part in parts]
    height, width = counted.image_size
    say(f"{name}: {height}x{width} pixels, {counted.classes} classes\n")
    print_table(head, [*rows, ["total", "", *_amounts(counted, counted)]])
    say("\nMACs: multiply-accumulates of convolutions, linear layers and attention for one image;")
    say(f"FLOPs, two for each, are {counted.flops / 1e6:,.2f} M.")
    say("training: activations that the backward pass keeps for one image. inference: the peak of")
    say(
        "activations alive at once. moved: inputs, weights and outputs of all layers. All bytes are"
    )
    say("of float32; MB are 10^6.")


def _amounts(part: LayerCost | SectionCost | Cost, total: Cost) -> list[str]:
    cells: list[str] = []
    for amount, of, text in (
        (part.params, total.params, f"{part.params:,}"),
        (part.macs, total.macs, f"{part.macs / 1e6:,.2f}"),
        (part.training_bytes, total.training_bytes, f"{part.training_bytes / 1e6:,.2f}"),
    ):
        bar = "" if part is total else _bar(amount / of)
        cells += [text, f"{amount / of:.1%}" if part is not total else "100%", bar]
    return [*cells, f"{part.inference_bytes / 1e6:,.2f}", f"{part.moved_bytes / 1e6:,.2f}"]


def _bar(share: float) -> str:
    """Up to eight cells for a share from 0 to 1."""
    full, eighths = divmod(round(share * 64), 8)
    bar = "█" * full + "▏▎▍▌▋▊▉"[eighths - 1 : eighths] if eighths else "█" * full
    try:
        bar.encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        return "#" * round(share * 8)
    return bar


def _show(options: Namespace) -> int:
    classes = 1000 if options.classes is None else options.classes
    chosen = design_from(options.design, options.overrides)
    size = options.image_size or 224
    if isinstance(chosen, Vit):
        require_image_size(chosen, size)
    blueprint = draw(chosen, classes, size)
    if options.json:
        print_json(asdict(blueprint))
    else:
        say(as_text(blueprint))
    return 0


def _recipe(options: Namespace) -> int:
    if options.name is None:
        if options.json:
            print_json({name: asdict(one) for name, one in RECIPES.items()})
        else:
            names = list(RECIPES)
            table = [[f, *(_text(getattr(RECIPES[n], f)) for n in names)] for f in hints(Recipe)]
            print_table(["field", *names], table)
        return 0
    (fields,) = read_fields(options.overrides, Recipe)
    chosen = recipe(options.name, **fields)
    if options.json:
        print_json(asdict(chosen))
    else:
        print_table(["field", "value"], [[f, _text(getattr(chosen, f))] for f in hints(Recipe)])
    return 0


def _text(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
