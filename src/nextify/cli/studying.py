"""The commands study and report."""

import shlex
import sys
from argparse import Namespace
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nextify.cli import experiment
from nextify.cli.images import load_images, precision_of
from nextify.cli.show import note, print_json, print_table, say
from nextify.designs import Design, Recipe, path
from nextify.designs.fields import read_fields
from nextify.files import is_there, make_folder, require_place
from nextify.records import Plan
from nextify.report import ReportFiles, write_report

if TYPE_CHECKING:
    from nextify.study import Frame, WorkerSetup


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
    from nextify.study import cores, gpus

    asked = _asked(options)
    plan = asked.plan
    file = Path(options.file or _default_file(options, plan))
    if options.plan or not is_there(file):
        from nextify.training.memory import require_memory_for

        require_memory_for(plan)
    if options.plan and asked.frame is None:
        return _show_plan(plan, options.json)
    workers = options.workers or len(gpus()) or cores()
    if asked.frame is not None and (options.plan or not is_there(file)):
        found = experiment.forecasts(options, asked.frame, plan, asked.setup, file, workers)
        if options.plan:
            experiment.show_plan(plan, found, options.json)
            return 0
        note(experiment.announced(found[0]))
    return carry_out(options, plan, asked.setup, file)


def carry_out(options: Namespace, plan: Plan, setup: "WorkerSetup", file: Path) -> int:
    """Train what the study file does not have yet, write the report, and say so: the exit code."""
    from nextify.study import execute, progress_on

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


def _default_file(options: Namespace, plan: Plan) -> str:
    if plan.experiment == "path":
        return f"runs/{plan.name}-{plan.data['name']}.study"
    return experiment.default_file(options, str(plan.data["name"]))


@dataclass(frozen=True, slots=True)
class _Asked:
    """The plan, how a worker loads the images and, of an experiment, what its cells share."""

    plan: Plan
    setup: "WorkerSetup"
    frame: "Frame | None" = None


def _asked(options: Namespace) -> _Asked:
    """What the options ask for. The images are loaded here once, to be identified."""
    from nextify.study import plan_path

    is_experiment = experiment.is_experiment(options)
    design_fields, recipe_fields = read_fields(options.overrides, Design, Recipe)
    chosen = path(options.path).with_design_fields(design_fields)
    dataset, setup = load_images(options)
    options.precision = precision_of(options)  # the command names it
    shared = {
        "data": dataset.identity(),
        "data_source": dataset.source,
        "seeds": range(options.first_seed, options.first_seed + options.seeds),
        "recipe_changes": recipe_fields,
        "precision": options.precision,
        "command": command_line(options),
    }
    if is_experiment:
        frame, plan = experiment.planned(options, chosen, shared)
        return _Asked(plan, setup, frame)
    return _Asked(plan_path(chosen, **shared), setup)


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
        ("experiment", "path"),
        ("factors", None),
        ("matched", None),
        ("target", None),
        ("rates", None),
        ("end_seeds", None),
        ("orders", 8),
        ("fold_over", None),
        ("add_cells", None),
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
