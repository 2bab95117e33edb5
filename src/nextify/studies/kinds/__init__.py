"""The kinds of study, each a module of its own behind the small interface of `Kind`.

A path is trained step by step, an experiment in subsets of its choices, a comparison network by
network. `choosing` is made of two experiments. A new kind is a module that defines a `Kind`, and a
line here.
"""

from nextify.records import Plan
from nextify.requests import Compare, Study, StudyRequest
from nextify.studies.kinds.comparison import COMPARISON
from nextify.studies.kinds.factors import FACTORS, is_experiment
from nextify.studies.kinds.kind import Asked, Kind
from nextify.studies.kinds.path import PATH


def kind_of(plan: Plan) -> Kind:
    """The kind of study that a plan is of."""
    return {"path": PATH, "comparison": COMPARISON}.get(plan.experiment, FACTORS)


def kind_asked(request: StudyRequest) -> Kind:
    """The kind of study that a request asks for."""
    match request:
        case Compare():
            return COMPARISON
        case Study() if not is_experiment(request):
            return PATH
    return FACTORS
