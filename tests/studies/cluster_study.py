"""A study whose toy runs are trained on a cluster; as a script, a supervisor to kill.

python cluster_study.py STUDY LOG SECONDS ADDRESS SEEDS
"""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tiny_study import Trainer, begun, carried_out, note, tiny_plan

from nextify.designs import Run
from nextify.records import Plan, Record
from nextify.studies.running.clusters import cluster, crew_on
from nextify.studies.running.worker import OnProgress


@dataclass(frozen=True)
class Noted(Trainer):
    """Writes a run's key into a second log when it has ended."""

    def __call__(self, run: Run, dataset: Any, on_progress: OnProgress) -> Record:
        record = Trainer.__call__(self, run, dataset, on_progress)
        note(ends(self.log), f"{run.key} 0")
        return record


def ends(log: Path) -> Path:
    return log.with_name(f"{log.name}.ended")


def ended(log: Path) -> list[str]:
    """The runs that ended, in order."""
    return [key for key, _ in begun(ends(log))]


def plan_of(seeds: int) -> Plan:
    return tiny_plan(seeds=tuple(range(seeds)))


def main() -> None:
    study, log, seconds, address, seeds = sys.argv[1:]
    with cluster(address):
        crew = crew_on(address, Path(study))
        summary = carried_out(
            plan_of(int(seeds)), study, Noted(Path(log), float(seconds)), crew=crew
        )
    print(f"finished={summary.finished} recorded={summary.recorded} failed={summary.failed}")


if __name__ == "__main__":
    main()
