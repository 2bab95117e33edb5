"""The kinds of study, each a module of its own behind the small interface of `Kind`.

A path is trained step by step, an experiment in subsets of its choices, a comparison network by
network. `choosing` is made of two experiments. A new kind is a module that defines a `Kind`, and a
line here.
"""

from nextify.records import Plan
from nextify.requests import Compare, Study, Trained
from nextify.study.kinds.comparison import COMPARISON
from nextify.study.kinds.factors import FACTORS, is_experiment
from nextify.study.kinds.kind import Asked, Kind
from nextify.study.kinds.path import PATH

__all__ = ["COMPARISON", "FACTORS", "PATH", "Asked", "Kind", "kind_asked", "kind_of"]


def kind_of(plan: Plan) -> Kind:
    """The kind of study that a plan is of."""
    return {"path": PATH, "comparison": COMPARISON}.get(plan.experiment, FACTORS)


def kind_asked(request: Trained) -> Kind:
    """The kind of study that a request asks for."""
    match request:
        case Compare():
            return COMPARISON
        case Study() if not is_experiment(request):
            return PATH
    return FACTORS
