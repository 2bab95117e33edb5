"""The study before a tuned one: every cell at every rate, on held-out images, to choose by."""

from dataclasses import replace

from nextify.records import Plan
from nextify.requests import Study
from nextify.studies.kinds.factors import frame_of, plan_experiment
from nextify.studies.kinds.kind import Asked, Stacks


def plan_tuning(asked: Asked) -> Plan:
    """Every cell of the experiment that a request asks for, at every rate, with one seed, which the
    study proper has not.

    Args:
        asked: with images of which some of the training images are held out.

    Raises:
        InputError: as `frame_of` and `plan_experiment` do.
    """
    request = asked.request
    assert isinstance(request, Study)
    of = frame_of(replace(asked, there=None))
    seed = request.runs.first_seed
    of = replace(of, rates=of.tuned, tuned=(), seeds=(seed,), held_out=True, stacks=Stacks())
    plan = plan_experiment(of, request.experiment.experiment, orders=request.experiment.orders)
    once = tuple(replace(cell, more_seeds=()) for cell in plan.cells)
    return replace(plan, cells=once, title=f"Tuning: {plan.title}").asked_by(request)
