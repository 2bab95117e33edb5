"""A study: a plan of many runs, carried out by processes side by side and kept in one file.

>>> plan = plan_path(path("small"), data=..., data_source=..., seeds=[0, 1])  # doctest: +SKIP
>>> summary = execute(plan, "study.db", WorkerSetup(source="embedded"))  # doctest: +SKIP
"""

from nextify.machine import cores
from nextify.study.forecast import Forecast, forecast, neighbours, sigma_of
from nextify.study.kinds.choice import Choice, Finalist, choose
from nextify.study.kinds.choosing import Outcome, Phase, carry_out, phases
from nextify.study.kinds.comparison import Network, plan_comparison
from nextify.study.kinds.factors import (
    END_SEEDS,
    Frame,
    frame,
    plan_again,
    plan_cells,
    plan_experiment,
    plan_more,
)
from nextify.study.kinds.finalists import Task, in_budget, plan_finals, plan_screening
from nextify.study.kinds.path import plan_path
from nextify.study.running.execute import execute, gpus, resume
from nextify.study.running.pilot import Pilot, run_pilot
from nextify.study.running.progress import Snapshot, live, plain, progress_on, silent
from nextify.study.running.summary import Setback, Summary
from nextify.study.running.supervise import Interrupted
from nextify.study.running.worker import Setup, Train, WorkerSetup, train_run

__all__ = [
    "END_SEEDS",
    "Choice",
    "Finalist",
    "Forecast",
    "Frame",
    "Interrupted",
    "Network",
    "Outcome",
    "Phase",
    "Pilot",
    "Setback",
    "Setup",
    "Snapshot",
    "Summary",
    "Task",
    "Train",
    "WorkerSetup",
    "carry_out",
    "choose",
    "cores",
    "execute",
    "forecast",
    "frame",
    "gpus",
    "in_budget",
    "live",
    "neighbours",
    "phases",
    "plain",
    "plan_again",
    "plan_cells",
    "plan_comparison",
    "plan_experiment",
    "plan_finals",
    "plan_more",
    "plan_path",
    "plan_screening",
    "progress_on",
    "resume",
    "run_pilot",
    "sigma_of",
    "silent",
    "train_run",
]
