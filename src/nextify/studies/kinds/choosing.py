"""Choosing a design: the screening, then the finals, each a study of its own in one folder.

Everything that happens is in the two study files, and what is in them is not done again: after an
interrupt the same call goes on. The finalists are fixed by the file of the finals once it is there.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from nextify.designs import Design, Recipe, path, require_convolutional
from nextify.designs.fields import read_fields
from nextify.errors import InputError
from nextify.findings.choice import Choice, choose
from nextify.fitting import BUDGETS, budgets_of
from nextify.records import Plan, Record, Store
from nextify.requests import Choose, changed
from nextify.studies.kinds.efforts import Effort, Phase, settled_effort, with_effort
from nextify.studies.kinds.finalists import Task, plan_finals, plan_screening, possible
from nextify.studies.kinds.frame import framed, size_of
from nextify.studies.kinds.kind import Asked, plan_there
from nextify.studies.kinds.shape import suited_shape
from nextify.studies.running.pilot import Pilot
from nextify.studies.running.summary import Setback, Summary
from nextify.words import seconds_in_words

SCREENING, FINALS = "screening.study", "finals.study"
ENDS = 2  # the start and the end, which are among the finals of a whole screening


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of the screening and the finals.

    Attributes:
        choice: the answer; None if no run of the screening has a score: then there were no finals.
        studies: plans and records by the names of their files without the ending: the screening,
            or the rates and the race, and the finals where there were any. summaries: of each.
    """

    choice: Choice | None
    studies: Mapping[str, tuple[Plan, Sequence[Record]]]
    summaries: tuple[Summary, ...]

    @property
    def failures(self) -> tuple[Setback, ...]:
        """The runs that failed (and did not diverge)."""
        return tuple(failure for each in self.summaries for failure in each.failures)

    @property
    def divergences(self) -> tuple[Setback, ...]:
        """The runs that diverged."""
        return tuple(one for each in self.summaries for one in each.divergences)


def phases(
    task: Task, screening: Plan, pilot: Pilot | None, workers: int, images: int, timed: int = 1
) -> tuple[Phase, ...]:
    """What the whole choice will take.

    Args:
        pilot: of the screening; the finalists are taken to last as long as its cells on average.
        workers: runs side by side. images: that the winner is trained on. timed: `Effort.shorten`
            of what the pilot has timed.
    """
    effort = task.effort
    networks = effort.finalists + effort.reshaped + ENDS * (effort.shorten == 1)
    runs = networks * effort.final_seeds
    times: list[float | None] = [None, None, None]
    if pilot is not None:
        mean = timed * sum(pilot.seconds.values()) / len(pilot.seconds)
        more = int(task.data["train"]) / int(task.frame.data["train"])
        times = [
            pilot.total(screening, workers) * timed / effort.shorten,
            more * max(mean, mean * runs / workers),
            mean * images / int(task.frame.data["train"]),
        ]
    return (
        Phase("screening", len(screening.cells), screening.count, times[0]),
        Phase("finals", networks, runs, times[1]),
        Phase("winner", 1, 1, times[2]),
    )


def carry_out(task: Task, folder: Path, run: Callable[[Plan, Path], Summary]) -> Outcome:
    """Carry out the screening and the finals, as far as they are not recorded, and choose.

    >>> run = partial(execute, setup=setup)  # doctest: +SKIP
    >>> outcome = carry_out(task, Path("runs/mine"), run)  # doctest: +SKIP

    Args:
        folder: that there is, for the study files.
        run: trains what a study file does not have of a plan, as `execute` does.

    Raises:
        InputError: as `execute` and `plan_screening` do.
        Interrupted: by Ctrl-C.
    """

    def done(plan: Plan, name: str) -> tuple[Summary, tuple[Plan, Sequence[Record]]]:
        summary = run(plan, folder / name)
        with Store.open(folder / name, create=False) as store:
            return summary, (plan, store.records())

    first, screening = done(plan_screening(task).asked_by(task.request), SCREENING)
    plan = plan_there(folder / FINALS) or plan_finals(task, *screening)
    if plan is None:
        return Outcome(None, {"screening": screening}, (first,))
    second, finals = done(plan.asked_by(task.request), FINALS)
    took = task.latency.known if task.latency else {}
    by = task.effort.shorten
    choice = choose(screening, finals, task.budgets, possible(task), took, shorten=by)
    return Outcome(choice, {"screening": screening, "finals": finals}, (first, second))


def task_of(asked: Asked, data: Mapping[str, Any], largest_class: float | None = None) -> Task:
    """What a request asks to choose, with the effort of the choice that goes on, or the usual one.

    Args:
        asked: with the images of the screening. data: `Dataset.identity()` of the finals.

    Raises:
        InputError: as `Frame` and `budgets_of` do.
    """
    request = asked.request
    assert isinstance(request, Choose)
    request = settled_effort(request, asked.there)
    size = size_of(data)
    budgets = budgets_of(**asdict(request.budgets), **size)
    request = _with_shape(request, budgets, size, asked.there)
    frame = framed(
        replace(asked, request=request),
        str(request.path),
        request.factors,
        seeds=range(request.seeds or 1),
        end_seeds=0,
    )
    held_out = request.hold_out or asked.images.identity() != data
    return Task(
        frame=frame,
        data=data,
        held_out=held_out,
        budgets=budgets,
        request=request,
        largest_class=largest_class,
    )


def at_effort(task: Task, effort: Effort) -> Task:
    """The same choice with more work or less."""
    frame = replace(task.frame, seeds=range(effort.seeds))
    return replace(task, request=with_effort(task.request, effort), frame=frame)


def _with_shape(
    request: Choose, budgets: Mapping[str, int], size: Mapping[str, Any], there: Plan | None
) -> Choose:
    """The request with the path whose designs use the budgets best, where it names none; that of
    the screening that goes on, where there is one."""
    if request.path is not None:
        return request
    design_fields, _ = read_fields(request.changes, Design, Recipe)
    given = design_fields.get("stem_stride")
    if there is None:
        shape = suited_shape(budgets, **size, stem_stride=given)
        name, stride = shape.path, shape.stem_stride
    else:
        begun = require_convolutional(there.cells[0].design, "a path")
        name, stride = there.name, begun.stem_stride
    said = given or stride == path(name).start.stem_stride
    changes = () if said else (f"stem_stride={stride}",)
    return changed(request, path=name, changes=(*request.changes, *changes))


def settings_of(task: Task) -> dict[str, Any]:
    """All that makes one choice another one, in words; plain values, as JSON gives them back."""
    of, request = task.frame, task.request
    design_fields, recipe_fields = read_fields(request.changes, Design, Recipe)
    return {
        **{f"the budget of {name}": task.budgets.get(name) for name in BUDGETS},
        **{f"{name!r} of the data": value for name, value in task.data.items()},
        "the path": of.path.name,
        "the factors": ", ".join(f"{f.name} = {' + '.join(f.choices)}" for f in of.factors),
        "the experiment": request.experiment,
        "--seeds": len(of.seeds),
        "--finalists": request.finalists,
        "--reshaped": request.reshaped,
        "--final-seeds": request.final_seeds,
        # Left out where it says nothing, as in choices from before there was it.
        **({"--hold-out": True} if request.hold_out else {}),
        **({"--shorten": request.shorten} if task.effort.shorten > 1 else {}),
        **({"the latency": request.latency} if request.latency else {}),
        "the precision": of.precision,
        "what is changed of designs and recipes": {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in sorted({**design_fields, **recipe_fields}.items())
        },
    }


def require_fast_enough(task: Task, screening: Plan) -> None:
    """Check that some design of the screening answers in time, before any is trained.

    Raises:
        InputError: none does.
    """
    latency = task.latency
    if latency is None or any(task.keeps(cell) for cell in screening.cells):
        return
    fastest = min((latency.known[cell.name] for cell in screening.cells), key=lambda s: s.median)
    raise InputError(
        f"--latency is {task.request.latency}, and the fastest of the screening's "
        f"{len(screening.cells)} networks takes {seconds_in_words(fastest.median)}; give at least "
        "that, fewer --params or --macs, or a smaller image"
    )
