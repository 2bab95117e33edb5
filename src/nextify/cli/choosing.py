"""The command choose: from a budget to a design, its accuracy, and a trained network."""

import shlex
import sys
from argparse import Namespace
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nextify.cli.images import load_images, precision_of
from nextify.cli.show import note, print_json, print_table, say
from nextify.cli.timing import timed
from nextify.designs import Design, Recipe, path, read_factors
from nextify.designs.fields import hints, read_fields
from nextify.errors import InputError
from nextify.files import is_there, make_folder, read_json, require_place, write_json
from nextify.findings import Interval
from nextify.fitting import BUDGETS, budgets_of
from nextify.records import Plan
from nextify.words import bytes_in_words, hours_and_minutes, in_words, plural

if TYPE_CHECKING:
    from nextify.data import Dataset
    from nextify.study import (
        Choice,
        Finalist,
        Frame,
        Outcome,
        Phase,
        Task,
        WorkerSetup,
    )

_SMALL = 64  # pixels a side up to which the small path is the one that suits


@dataclass(frozen=True, slots=True)
class _Asked:
    """What the options ask for."""

    task: "Task"
    screening: Plan
    dataset: "Dataset"
    setup: "WorkerSetup"
    folder: Path
    settings: dict[str, Any]


def run(options: Namespace) -> int:
    """Carry out choose."""
    from nextify.study import carry_out, cores, gpus, progress_on

    asked = _asked(options)
    _require_same(asked.folder, asked.settings)
    workers = options.workers or len(gpus()) or cores()
    if options.plan or not is_there(asked.folder / "screening.study"):
        found = _phases(options, asked, workers)
        if options.plan:
            return _show_plan(asked, found, options.json)
        for phase in found:
            note(_announced(phase))
    make_folder(asked.folder, "--output")
    _keep(asked, None)
    outcome = carry_out(
        asked.task,
        asked.folder,
        asked.setup,
        workers=options.workers,
        progress=lambda: progress_on(sys.stderr),
        announce=note,
        retry_failed=options.retry_failed,
    )
    return _finish(options, asked, outcome)


def _finish(options: Namespace, asked: _Asked, outcome: "Outcome") -> int:
    """Train the winner, keep the answer and say it."""
    for setback in (*outcome.failures, *outcome.divergences):
        note(f"{setback.step}, seed {setback.seed}: {setback.message}")
    choice, trained = outcome.choice, None
    if choice is not None and choice.winner is not None and outcome.finals is not None:
        from nextify.cli.bars import step_bar
        from nextify.study.kinds.winner import train_winner

        note(f"winner: {choice.winner} on all images")
        chosen = choice.finalist(choice.winner)
        with step_bar() as on_step:
            trained = train_winner(asked.dataset, outcome.finals, chosen, asked.folder, on_step)
    answer = {
        "choice": None if choice is None else choice.as_dict(),
        "design": None if trained is None or choice is None else _as_fields(choice),
        "winner": trained,
        "folder": str(asked.folder),
        "failed": [asdict(each) for each in outcome.failures],
        "diverged": [asdict(each) for each in outcome.divergences],
    }
    _keep(asked, answer)
    if options.json:
        print_json(answer)
    elif choice is None or choice.winner is None:
        say("no design can be chosen: no run has a score; see the messages above, and try another "
            "learning_rate=")  # fmt: skip
    else:
        _say(choice, asked, trained)
    is_trained = trained is not None and trained["outcome"] == "finished"
    return 0 if is_trained and not outcome.failures else 1


def _asked(options: Namespace) -> _Asked:
    """What the options ask for. The images are loaded here once, to be identified."""
    from nextify.study import plan_screening

    design_fields, recipe_fields = read_fields(options.overrides, Design, Recipe)
    # Before the images are loaded, which takes longer.
    budgets_of(**_budgets(options), like=options.like)
    dataset, setup = load_images(options)
    task = _task(options, dataset, design_fields, recipe_fields)
    folder = Path(options.output or f"runs/choose-{dataset.name}-{_budget_name(options)}")
    settings = _settings(task, {**design_fields, **recipe_fields})
    asked = _Asked(task, plan_screening(task), dataset, setup, folder, settings)
    if not options.plan:  # which writes nothing, and neither does what is refused
        require_place(folder, "--output")
    return asked


def _task(
    options: Namespace,
    dataset: "Dataset",
    design_fields: Mapping[str, Any],
    recipe_fields: Mapping[str, Any],
) -> "Task":
    from nextify.study import Task

    return Task(
        frame=_frame(options, dataset, design_fields, recipe_fields),
        budgets=budgets_of(
            **_budgets(options),
            like=options.like,
            image_size=dataset.image_size,
            classes=len(dataset.classes),
        ),
        experiment=options.experiment,
        finalists=options.finalists,
        reshaped=options.reshaped,
        final_seeds=options.final_seeds,
    )


def _frame(
    options: Namespace,
    dataset: "Dataset",
    design_fields: Mapping[str, Any],
    recipe_fields: Mapping[str, Any],
) -> "Frame":
    from nextify.study import frame

    name = options.path or ("small" if dataset.image_size <= _SMALL else "resnet50")
    chosen = path(name).with_design_fields(design_fields)
    return frame(
        chosen,
        data=dataset.identity(),
        data_source=dataset.source,
        seeds=range(options.seeds),
        recipe_changes=recipe_fields,
        factors=read_factors(options.factors, chosen) if options.factors else None,
        end_seeds=0,
        precision=precision_of(options),
        command=_command_line(options),
    )


def _budgets(options: Namespace) -> dict[str, Any]:
    return {name: getattr(options, name) for name in BUDGETS}


def _budget_name(options: Namespace) -> str:
    given = [(name, getattr(options, name)) for name in (*BUDGETS, "like")]
    words = "-".join(f"{name.replace('_', '-')}-{text}" for name, text in given if text)
    return words.replace("/", "_")


def _command_line(options: Namespace) -> str:
    """What a user types to repeat this elsewhere."""
    words = ["nextify", "choose", *options.overrides]
    for name in (*BUDGETS, "like", "data", "image_size", "split_seed", "train_limit", "path",
                 "experiment", "factors", "seeds", "finalists", "reshaped", "final_seeds",
                 "precision"):  # fmt: skip
        value = getattr(options, name)
        if value is not None and value != _DEFAULTS.get(name):
            words += [f"--{name.replace('_', '-')}", str(value)]
    return shlex.join([*words, *["--skip-unreadable"] * options.skip_unreadable])


_DEFAULTS = {
    "data": "embedded", "split_seed": 0, "experiment": "resolution-4", "seeds": 2, "finalists": 4,
    "reshaped": 1, "final_seeds": 5,
}  # fmt: skip


def _settings(task: "Task", fields: Mapping[str, Any]) -> dict[str, Any]:
    """All that makes one choice another one, in words; plain values, as JSON gives them back."""
    of = task.frame
    return {
        **{f"the budget of {name}": task.budgets.get(name) for name in BUDGETS},
        **{f"{name!r} of the data": value for name, value in of.data.items()},
        "the path": of.path.name,
        "the factors": ", ".join(f"{f.name} = {' + '.join(f.choices)}" for f in of.factors),
        "the experiment": task.experiment,
        "--seeds": len(of.seeds),
        "--finalists": task.finalists,
        "--reshaped": task.reshaped,
        "--final-seeds": task.final_seeds,
        "the precision": of.precision,
        "what is changed of designs and recipes": {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in sorted(fields.items())
        },
    }


def _require_same(folder: Path, settings: Mapping[str, Any]) -> None:
    """Check that a folder holds no other choice."""
    kept = read_json(folder / "choice.json")
    if kept is None:
        return
    there = kept.get("settings")
    if not isinstance(there, dict):
        raise InputError(f"{folder / 'choice.json'} was not made by this command; name another "
                         "folder with --output")  # fmt: skip
    for name in {**settings, **there}:
        if there.get(name) != settings.get(name):
            raise InputError(
                f"folder {folder} holds another choice: {name} is {there.get(name)!r} there and "
                f"{settings.get(name)!r} here; name another folder with --output"
            )


def _keep(asked: _Asked, answer: dict[str, Any] | None) -> None:
    """Write what was asked, and the answer once there is one."""
    file = asked.folder / "choice.json"
    if answer is None and read_json(file) is not None:
        return
    values = {"command": asked.task.frame.command, "settings": asked.settings}
    write_json(file, values if answer is None else {**values, **answer})


def _phases(options: Namespace, asked: _Asked, workers: int) -> "tuple[Phase, ...]":
    from nextify.study import phases
    from nextify.training.memory import require_memory_for

    require_memory_for(asked.screening)
    pilot = timed(options, asked.screening, asked.setup, workers, "design")
    images = len(asked.dataset.train) + len(asked.dataset.test)
    return phases(asked.task, asked.screening, pilot, workers, images)


def _announced(phase: "Phase") -> str:
    time = "" if phase.seconds is None else f", about {hours_and_minutes(phase.seconds)}"
    at_most = "at most " if phase.name == "finals" else ""
    counts = f"{plural(phase.networks, 'network')}, {plural(phase.runs, 'run')}"
    return f"{phase.name}: {at_most}{counts}{time}"


def _show_plan(asked: _Asked, found: "Sequence[Phase]", as_json: bool) -> int:
    from nextify.study import in_budget

    if as_json:
        values = {"settings": asked.settings, "screening": asked.screening.as_dict()}
        print_json({**values, "phases": [asdict(each) for each in found]})
        return 0
    rows = [[str(at), factor.name, " + ".join(factor.choices)]
            for at, factor in enumerate(asked.task.frame.factors, start=1)]  # fmt: skip
    print_table(["", "factor", "choices"], rows)
    cells = asked.screening.cells
    say(
        f"\nnetworks with {in_budget(asked.task.budgets)}: "
        f"{in_words(min(c.params for c in cells))} to {in_words(max(c.params for c in cells))} "
        f"params, {in_words(min(c.macs for c in cells))} to {in_words(max(c.macs for c in cells))} "
        "MACs\n"
    )
    print_table(
        ["phase", "networks", "runs", "time"],
        [
            [each.name, str(each.networks), str(each.runs),
             "?" if each.seconds is None else hours_and_minutes(each.seconds)]
            for each in found
        ],
    )  # fmt: skip
    images = len(asked.dataset.train) + len(asked.dataset.test)
    say(f"\nfinals: at most so many. winner: on all {images:,} images")
    return 0


def _say(choice: "Choice", asked: _Asked, trained: dict[str, Any] | None) -> None:
    """The answer, for people."""
    print_table(
        ["design", "params", "MACs", "predicted", "accuracy", "interval", "to the best other",
         "runs", "standing", "made"],
        [_row(each) for each in choice.finalists],
    )  # fmt: skip
    say(f"\n{_recommended(choice)}")
    say(_how_sure(choice))
    for text in choice.notes:
        say(f"Note: {text}.")
    if trained is None or trained["outcome"] != "finished":
        say(f"The training on all images did not finish: {trained and trained['message']}")
        return
    say(
        f"network: {asked.folder / 'network.safetensors'}, trained on all {trained['images']:,} "
        "images, the test images among them: no test accuracy can be stated for it; the accuracy "
        "to expect is that above"
    )


def _row(each: "Finalist") -> list[str]:
    predicted = "?" if each.predicted is None else f"{100 * each.predicted:.2f}"
    return [
        each.name,
        in_words(each.params),
        in_words(each.macs),
        predicted,
        "?" if each.mean is None else f"{100 * each.mean:.2f}",
        _interval(each.interval),
        _interval(each.behind),
        f"{each.finished}/{each.runs}",
        _standing(each),
        each.changed,
    ]


def _standing(each: "Finalist") -> str:
    counts = {"diverged": each.diverged, "failed": each.failed}
    parts = [f"{count} {what}" for what, count in counts.items() if count]
    return f"{each.standing} ({', '.join(parts)})" if parts else each.standing


def _interval(of: Interval | None) -> str:
    return "?" if of is None else f"{100 * of.low:.2f} to {100 * of.high:.2f}"


def _recommended(choice: "Choice") -> str:
    assert choice.winner is not None
    best = choice.finalist(choice.winner)
    mean = "?" if best.mean is None else f"{100 * best.mean:.2f} %"
    lines = [
        f"Recommended: {best.name} (made: {best.changed}), recipe {best.recipe}: accuracy {mean} "
        f"over {plural(best.finished, 'fresh seed')}"
    ]
    if best.interval is not None:
        lines[0] += f", 95 % interval {_interval(best.interval)} % for new seeds"
        if best.wide is not None:
            lines[0] += f", {_interval(best.wide)} % for new test images too"
    used = ", ".join(f"{100 * use:.1f} % of {name}" for name, use in best.use.items())
    lines += [
        f"Its cost: {best.params:,} params, {best.macs:,} MACs, "
        f"{bytes_in_words(best.activation_memory)} of activations in training an image ({used}).",
        f"As a design: {' '.join(_as_fields(choice))}",
    ]
    return "\n".join(lines)


def _as_fields(choice: "Choice") -> list[str]:
    """The chosen design as the command line takes it."""
    assert choice.winner is not None
    design, base = choice.finalist(choice.winner).design, Design()
    return ["resnet50", *(
        f"{name}={_text(getattr(design, name))}"
        for name in hints(Design)
        if getattr(design, name) != getattr(base, name)
    )]  # fmt: skip


def _text(value: Any) -> str:
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return "none" if value is None else str(value)


def _how_sure(choice: "Choice") -> str:
    if choice.margin is None and choice.margin_all is None:
        return "How far it may be behind the others is not known."
    parts = []
    if choice.margin is not None:
        parts.append(
            f"With 95 % confidence it is at most {100 * choice.margin:.2f} points behind the best "
            "of these designs."
        )
    if choice.margin_all is not None:
        parts.append(
            "By the screening's model of all subsets of the choices (95 %, a prediction) it is at "
            f"most {100 * choice.margin_all:.2f} points behind the best of them."
        )
    text = " ".join(parts)
    if not choice.runners_up:
        return f"{text} All others can be told apart from it."
    cost = {"macs": "MACs", "params": "params"}[choice.cheapest_in]
    return (
        f"{text}\nNot to be told apart from it: {', '.join(choice.runners_up)}; of all these "
        f"{choice.cheapest} is the cheapest in {cost}."
    )
