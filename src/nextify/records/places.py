"""Which record belongs where in a plan: by cell and seed, whatever has become of the code since."""

from collections.abc import Iterable, Mapping

from nextify.designs.run import what_ran
from nextify.records.plan import Plan
from nextify.records.record import Record

Place = tuple[str, int]  # a cell's name, and a seed


def places(plan: Plan, records: Iterable[Record]) -> Mapping[Place, Record]:
    """The record of each cell and seed of a plan, as far as there is one.

    As the records say themselves; those of files from before they did are found by what ran, so
    that a later revision of the training code, or a design's new field, loses none. Two cells that
    are the same run (a choice that changes nothing) share its record.
    """
    given = tuple(records)
    planned = plan.places()
    told = {(cell, each.seed): each for each in given for cell in each.cells}
    found = {(c.name, seed): told[c.name, seed] for c, seed in planned if (c.name, seed) in told}
    if len(found) < len(planned) and given:
        # Of several records of one run: one that did not fail, by the latest code.
        best_last = sorted(given, key=lambda each: (each.outcome != "failed", each.revision))
        known = {what_ran(each.run): each for each in best_last}
        for cell, seed in planned:
            ran = known.get(what_ran(plan.run(cell, seed).as_dict()))
            if ran is not None:
                found.setdefault((cell.name, seed), ran)
    return found
