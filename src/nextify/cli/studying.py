"""The commands study and report."""

import shlex
import sys
from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nextify.cli.folders import make_folder, require_place
from nextify.cli.show import note, note_skipped, print_json, print_table, say
from nextify.designs import Design, Recipe, path
from nextify.designs.fields import read_fields
from nextify.records import Plan
from nextify.report import ReportFiles, write_report

if TYPE_CHECKING:
    from nextify.study import WorkerSetup


def run(options: Namespace) -> int:
    """Carry out study or report."""
    return _report(options) if options.command == "report" else _study(options)


def _report(options: Namespace) -> int:
    file = Path(options.file)
    files = write_report(file, options.output or report_folder(file))
    if options.json:
        print_json(_file_values(files))
    else:
        say(f"report: {files.html}")
    return 0


def report_folder(file: Path) -> Path:
    """Where a study's report goes by default: beside it, under its name."""
    return file.with_name(f"{file.stem}-report")


def _study(options: Namespace) -> int:
    from nextify.study import execute, progress_on

    plan, setup = _planned(options)
    if options.plan:
        return _show_plan(plan, options.json)
    file = Path(options.file or f"runs/{plan.name}-{plan.data['name']}.study")
    if options.file is None:
        make_folder(file.parent, "--file")
    if options.report:
        require_place(Path(options.report), "--report")  # before the work, not after it
    summary = execute(
        plan,
        file,
        setup,
        workers=options.workers,
        progress=progress_on(sys.stderr),
        retry_failed=options.retry_failed,
    )
    files = write_report(file, options.report or report_folder(file))
    if options.json:
        print_json({**summary.as_dict(), "study": str(file), **_file_values(files)})
    else:
        _say(summary, file, files)
    return 1 if summary.failures else 0


def _planned(options: Namespace) -> "tuple[Plan, WorkerSetup]":
    """The plan, and how a worker loads the images. They are loaded here once, to be identified."""
    from nextify.data import load
    from nextify.study import WorkerSetup, plan_path
    from nextify.training import default_device

    design_fields, recipe_fields = read_fields(options.overrides, Design, Recipe)
    chosen = path(options.path).with_design_fields(design_fields)
    where = {
        "source": options.data,
        "image_size": options.image_size,
        "split_seed": options.split_seed,
        "skip_unreadable": options.skip_unreadable,
        "train_limit": options.train_limit,
    }
    dataset = load(**where)
    note_skipped(dataset.skipped)
    if options.precision is None:
        options.precision = "bfloat16" if default_device() == "cuda" else "float32"
    plan = plan_path(
        chosen,
        data=dataset.identity(),
        data_source=dataset.source,
        seeds=range(options.first_seed, options.first_seed + options.seeds),
        recipe_changes=recipe_fields,
        precision=options.precision,
        command=command_line(options),
    )
    return plan, WorkerSetup(**where)


def command_line(options: Namespace) -> str:
    """What a user types to repeat a study elsewhere: the arguments that change its results."""
    words = ["nextify", "study", options.path, *options.overrides]
    for name, default in (
        ("data", "embedded"),
        ("image_size", None),
        ("split_seed", 0),
        ("train_limit", None),
        ("seeds", 2),
        ("first_seed", 0),
        ("precision", "float32"),
    ):
        value = getattr(options, name)
        if value != default:
            words += [f"--{name.replace('_', '-')}", str(value)]
    if options.skip_unreadable:
        words.append("--skip-unreadable")
    return shlex.join(words)


def _show_plan(plan: Plan, as_json: bool) -> int:
    if as_json:
        print_json(plan.as_dict())
        return 0
    rows = [
        [cell.name, cell.changed, cell.recipe_name, f"{cell.params:,}", f"{cell.macs / 1e6:,.2f}"]
        for cell in plan.cells
    ]
    print_table(["step", "what changed", "recipe", "params", "M MACs"], rows)
    cells, seeds = len(plan.cells), len(plan.seeds)
    images = sum(cell.recipe.epochs for cell in plan.cells) * seeds * int(plan.data["train"])
    say(f"\n{cells} steps x {seeds} seeds = {cells * seeds} runs, {images:,} training images seen")
    return 0


def _say(summary: Any, file: Path, files: ReportFiles) -> None:
    for setback in (*summary.failures, *summary.divergences):
        note(f"{setback.step}, seed {setback.seed}: {setback.message}")
    say(
        f"{summary.done} of {summary.planned} runs recorded in {file} "
        f"({summary.failed} failed, {summary.diverged} diverged in this start)"
    )
    say(f"report: {files.html}")


def _file_values(files: ReportFiles) -> dict[str, Any]:
    return {
        "report": str(files.html),
        "csv": str(files.csv),
        "figures": [str(figure) for figure in files.figures],
    }
