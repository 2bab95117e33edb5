"""What happened: records of runs, the plan they belong to, and the file that keeps both.

>>> from nextify.records import Store
>>> with Store.open("study.db", create=False) as store:  # doctest: +SKIP
...     store.plan().name, len(store.records())
('small', 30)
"""

from nextify.records.damage import Damage
from nextify.records.history import NO_HISTORY, History, Look, Registered, plan_hash
from nextify.records.measurement import Measurement
from nextify.records.mending import kept_as
from nextify.records.places import places
from nextify.records.plan import Cell, Experiment, Matched, Plan, plan_from_dict
from nextify.records.record import (
    ClassCounts,
    EpochPoint,
    Measured,
    Outcome,
    Record,
    Result,
    is_unequal,
    record_from_dict,
)
from nextify.records.store import SCHEMA, Store
