"""An experiment in one table, as the command line prints it and a notebook shows it."""

from nextify.findings.answers import Credit
from nextify.report.factors import caveats
from nextify.report.factors.content import FactorContent, View
from nextify.report.factors.contribution_figure import signed_count
from nextify.report.factors.units import Unit


def overview(content: FactorContent, view: View) -> tuple[list[str], list[list[str]]]:
    """What each factor adds, costs and is said to do: the head and the rows of a table."""
    found, unit = view.found, content.unit
    head = ["factor", unit.name, "95 %, all together"]
    head += ["Shapley value, all orders"] * bool(found.shapley) + ["params", "MACs", "memory"]
    rows = [
        [
            each.name,
            unit.signed(each.estimate.value),
            unit.span(each.simultaneous),
            *(_credit(unit, credit) for credit in found.shapley[at : at + 1]),
            *_added(view, at),
            caveats.verdict(found, each),
        ]
        for at, each in enumerate(found.contributions)
    ]
    return [*head, "verdict"], rows


def _credit(unit: Unit, of: Credit) -> str:
    within = f" ({unit.span(of.simultaneous)})" if of.simultaneous else ""
    return f"{unit.signed(of.estimate.value)}{within}"


def _added(view: View, at: int) -> list[str]:
    of = view.costs
    added = (of.params[at], of.macs[at], of.training_bytes[at]) if of else (None,) * 3
    return [signed_count(n, "B" * (place == 2)) for place, n in enumerate(added)]
