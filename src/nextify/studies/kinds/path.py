"""From a path to a plan: which designs are trained, how, and on what."""

from nextify.errors import InputError
from nextify.findings import measure_steps
from nextify.records import Plan
from nextify.requests import Experiment, Study
from nextify.studies.kinds.comparison import read_part
from nextify.studies.kinds.frame import Frame, cell_of, framed, seeds_of
from nextify.studies.kinds.kind import Asked, Kind


def plan_path(of: Frame) -> Plan:
    """A plan of every step of a path: the first with the recipe before, the others with the one
    after the recipe step.

    Raises:
        InputError: images too small for a design; a batch larger than the data; steps that change
            which weights a network has, where all start from the same.
    """
    path, recipes = of.path, dict(zip(of.path.recipes, of.recipes, strict=True))
    if of.start is not None:
        designs = [step.design for step in path.steps]
        of.start.require(
            (step.name, before, step.design)
            for step, before in zip(path.steps[1:], designs, strict=False)
        )
    cells = [
        cell_of(
            step.design,
            recipes[step.recipe],
            of.data,
            name=step.name,
            changed=step.changed,
            recipe_name=step.recipe,
            paper=step.paper,
            images=of.images,
            initial=of.start and of.start.of(step.design),
        )
        for step in path.steps
    ]
    count, images = len(path.choices), of.data["name"]
    return of.plan(f"From {path.start_name} by {count} design choices on {images}", cells)


def plan_of(asked: Asked) -> Plan:
    """The plan that a request asks for.

    Raises:
        InputError: as `Frame` and `plan_path` do, and for options of experiments.
    """
    request = asked.request
    assert isinstance(request, Study)
    _require_no_experiment(request.experiment)
    made = framed(
        asked,
        request.path,
        None,
        seeds=seeds_of(request.runs),
        images=read_part(request.images, len(asked.images.train), len(asked.images.classes)),
        held_out=request.hold_out,
    )
    return plan_path(made).asked_by(request)


def _require_no_experiment(options: Experiment) -> None:
    for name in (
        "factors", "matched", "target", "rates", "cross", "tune_rate", "end_seeds", "sigma",
        "score", "margin", "looks",
    ):  # fmt: skip
        if getattr(options, name) is not None:
            raise InputError(
                f"--{name.replace('_', '-')} belongs to an experiment; add "
                "--experiment resolution-5, say"
            )


PATH = Kind(plan=plan_of, findings=measure_steps, page="steps")
