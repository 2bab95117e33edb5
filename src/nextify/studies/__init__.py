"""A study: a plan of many runs, carried out by processes side by side and kept in one file.

>>> of = Frame(path("small"), data=..., data_source=..., seeds=[0, 1])  # doctest: +SKIP
>>> summary = execute(plan_path(of), "study.db", WorkerSetup(DataSpec()))  # doctest: +SKIP
"""

from nextify.machine import cores
from nextify.studies.forecast import Forecast, forecast, neighbours
from nextify.studies.kinds.choosing import Outcome, carry_out, phases
from nextify.studies.kinds.comparison import Network, plan_comparison
from nextify.studies.kinds.efforts import Phase
from nextify.studies.kinds.factors import plan_again, plan_experiment, plan_more
from nextify.studies.kinds.finalists import Task, in_budget, left_out, plan_finals, plan_screening
from nextify.studies.kinds.frame import Frame
from nextify.studies.kinds.path import plan_path
from nextify.studies.running.crew import Crew
from nextify.studies.running.execute import execute, gpus
from nextify.studies.running.live import read_live
from nextify.studies.running.local import LocalCrew
from nextify.studies.running.messages import Done
from nextify.studies.running.pilot import Pilot, run_pilot
from nextify.studies.running.progress import Snapshot, plain, progress_on
from nextify.studies.running.summary import Setback, Summary
from nextify.studies.running.supervise import Interrupted
from nextify.studies.running.worker import Setup, Train, WorkerSetup, train_run
