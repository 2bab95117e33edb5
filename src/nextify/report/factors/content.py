"""`FactorContent`: everything that the report of an experiment says, worked out once."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from nextify.errors import InputError
from nextify.findings import Attribution, Grid, Score, attribute, grid
from nextify.findings.across import General, across
from nextify.findings.looking import Looking, looking_at
from nextify.findings.meaning import Control, Meaning, meaning
from nextify.findings.scores import ATTRIBUTED, BY_CLASS, AnyScore, ProbeScore, beside_accuracy
from nextify.records import NO_HISTORY, History, Plan, Record
from nextify.records.measurement import AllProbed
from nextify.report.details import nothing_recorded
from nextify.report.factors.costs import FactorCosts, factor_costs
from nextify.report.factors.next_runs import NextRuns, next_runs
from nextify.report.factors.paper import PaperColumn, paper_column
from nextify.report.factors.units import Unit, unit_of

Study = tuple[Plan, Iterable[Record]]


@dataclass(frozen=True, kw_only=True, slots=True)
class View:
    """One study's answers.

    Attributes:
        label: what tells it from the study beside it: "as they are", "at equal MACs".
        key: of its figures: empty, or "-2" for the second study.
        runs: the records, cells by seeds. found: on the metric that is shown.
        scores: on those that are shown (accuracy, its logit, the log-likelihood; those by class
            where classes are unequal), and on the metric.
        costs: None where they cannot be computed.
        paper: the paper's increments. next: what to run.
        looking: which look it is to read this.
        meaning: what the factors do to the values of probes; None without any.
    """

    label: str
    key: str
    plan: Plan
    runs: Grid
    found: Attribution
    scores: dict[AnyScore, Attribution]
    costs: FactorCosts | None
    paper: PaperColumn | None
    next: tuple[NextRuns, ...]
    looking: Looking
    meaning: Meaning | None = None

    @property
    def has_intervals(self) -> bool:
        """Whether any contribution has one."""
        return any(each.simultaneous for each in self.found.contributions)


@dataclass(frozen=True, kw_only=True, slots=True)
class FactorContent:
    """One experiment, or several on the same factors, ready to be shown.

    Attributes:
        metric: the score that is shown in full. views: one a study.
        general: one a factor, where the studies differ in their data alone.
    """

    metric: AnyScore
    views: tuple[View, ...]
    general: tuple[General, ...] = ()

    @property
    def unit(self) -> Unit:
        """Of the metric's differences."""
        of = unit_of(self.metric)
        held_out = any(view.plan.held_out for view in self.views)
        title = of.title.replace("test accuracy", "held-out accuracy")
        return replace(of, title=title) if held_out else of

    @property
    def names(self) -> tuple[str, ...]:
        """Of the factors, in the path's order."""
        return tuple(factor.name for factor in self.views[0].plan.factors)


def factor_content(
    studies: Iterable[Study],
    metric: AnyScore = "accuracy",
    file: str = "",
    *,
    histories: Sequence[History] = (),
    margin: float | None = None,
    probed: AllProbed | None = None,
    control: Control = "simultaneous",
    without_failed: bool = False,
) -> FactorContent:
    """Work out what a report says of one experiment, or of several on the same factors.

    Args:
        file: of the first study, for the commands that continue it.
        histories: of the studies' files; none where they have none.
        margin: the smallest effect of interest, in points of accuracy or the metric's own units;
            by default what was settled in a study's file for this metric.
        probed: what probes found of the studies' runs. control: of the matrix of factors by probes.
        without_failed: see `looking_at`.

    Raises:
        InputError: no run of a study is recorded; a study of a path; studies on different
            factors.
    """
    given = [(plan, tuple(records)) for plan, records in studies]
    plans = [plan for plan, _ in given]
    _require_same_factors(plans)
    views = []
    for at, ((plan, records), label) in enumerate(zip(given, _labels(plans), strict=True)):
        history = histories[at] if histories else NO_HISTORY
        looking = looking_at(plan, records, history, without_failed)
        scores = _attributed(plan, records, metric, looking, margin)
        found = scores[metric]
        view = View(
            label=label,
            key=f"-{at + 1}" if at else "",
            plan=plan,
            runs=grid(plan, records),
            found=found,
            scores=scores,
            costs=factor_costs(plan),
            paper=paper_column(plan.name, plan.factors),
            next=next_runs(plan, found, "" if at else file, looking),
            looking=looking,
            meaning=meaning(plan, records, probed or {}, level=looking.level, control=control),
        )
        views.append(view)
    general = across([view.found for view in views]) if _differ_in_data(plans) else ()
    return FactorContent(metric=metric, views=tuple(views), general=general)


def _attributed(
    plan: Plan,
    records: Sequence[Record],
    metric: AnyScore,
    looking: Looking,
    margin: float | None,
) -> dict[AnyScore, Attribution]:
    """What a study says of the scores that are shown."""
    own = margin_of(looking.history, metric) if margin is None else margin
    sizes = {metric: own and own / unit_of(metric).scale}
    scores = {
        score: attribute(plan, records, score, level=looking.level, margin=sizes.get(score))
        for score in _shown(metric, grid(plan, records))
    }
    if scores["accuracy"].counts.missing == scores[metric].counts.planned:
        raise nothing_recorded(plan)
    return scores


def _shown(metric: AnyScore, runs: Grid) -> tuple[AnyScore, ...]:
    """The scores of a page: the metric, and those beside it."""
    beside = beside_accuracy(run for row in runs for run in row)
    asked: tuple[AnyScore, ...] = (metric,) if isinstance(metric, ProbeScore) else ()
    plain = (each for each in ATTRIBUTED if each not in BY_CLASS or each in (metric, *beside))
    return (*asked, *plain)


def _differ_in_data(plans: list[Plan]) -> bool:
    """Whether each is on images of its own, and nothing else was changed by intent."""
    data = {plan.data["fingerprint"] for plan in plans}
    return 1 < len(plans) == len(data) and len({plan.matched for plan in plans}) == 1


def margin_of(history: History, metric: AnyScore) -> float | None:
    """The margin that was settled last, where it is of this score."""
    last = history.registered[-1] if history.registered else None
    return last.margin if last and last.score == spelled(metric) else None


def spelled(metric: AnyScore | str) -> str:
    """A score as options spell it."""
    return (metric if isinstance(metric, str) else metric.name).replace(" ", "-")


SPELLED: dict[str, Score] = {spelled(score): score for score in ATTRIBUTED}


def primary_of(history: History) -> Score:
    """The score that was settled as the primary one."""
    return SPELLED[history.registered[-1].score] if history.registered else "accuracy"


def _require_same_factors(plans: list[Plan]) -> None:
    first, *others = plans
    for other in (plan for plan in others if plan.factors != first.factors):
        shared = set(first.factors) & set(other.factors)
        odd = [f for f in (*first.factors, *other.factors) if f not in shared]
        what = f"factor {odd[0].name!r}" if odd else "their order"
        raise InputError(
            f"the two studies have different factors ({what} differs); give two experiments on "
            "the same factors, one of them with --matched macs, say"
        )


def _labels(plans: list[Plan]) -> list[str]:
    """What tells them apart: the matching, or else the data, or else their places."""
    same = {"": "as they are", "macs": "at equal MACs", "params": "at equal parameters"}
    labels = [same[plan.matched] for plan in plans]
    data = [f"{same[plan.matched]}, {plan.data['name']}" for plan in plans]
    places = [f"{label}, study {at}" for at, label in enumerate(labels, start=1)]
    return next(each for each in (labels, data, places) if len(set(each)) == len(each))
