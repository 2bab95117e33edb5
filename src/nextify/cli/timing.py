"""How long a plan will take, timed before it starts, for the commands that train many networks."""

from argparse import Namespace
from typing import TYPE_CHECKING

from nextify.cli.show import note
from nextify.records import Plan
from nextify.words import plural

if TYPE_CHECKING:
    from nextify.study import Pilot, Setup


def timed(
    options: Namespace, plan: Plan, setup: "Setup", workers: int, what: str
) -> "Pilot | None":
    """The plan's pilot; None, and a line that says so, where it takes too long, too.

    Args:
        options: of which `no_pilot` asks for none. what: is compared, as "network".
    """
    from nextify.study import run_pilot

    if options.no_pilot:
        return None
    note(f"timing a few steps of each {what} ...")
    pilot = run_pilot(plan, setup, workers)
    if pilot is None:
        note(
            "timing skipped: even the first steps take longer than a pilot may (two minutes); by "
            f"their MACs all runs together make {_work(plan):.1e} multiply-accumulates"
        )
    elif pilot.by_macs:
        note(f"{plural(pilot.by_macs, what)} too dear to be timed, forecast by MACs")
    return pilot


def _work(plan: Plan) -> float:
    """Multiply-accumulates of all training, forward and backward."""
    from nextify.study.running.pilot import PASSES

    return PASSES * sum(float(plan.work_of(c)) * len(plan.seeds_of(c)) for c in plan.cells)
