"""The supervisor of a study: it claims runs, gives them to a crew, writes what becomes of them,
and shows it. It alone opens the study file, and knows nothing of what the crew is."""

import os
import time
from collections import Counter, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

from nextify.errors import InputError
from nextify.records import Outcome, Plan, Record, Store, places
from nextify.studies.running.artefacts import keep
from nextify.studies.running.crew import Crew
from nextify.studies.running.failure import failed
from nextify.studies.running.jobs import Job, jobs_of
from nextify.studies.running.locks import RunLocks
from nextify.studies.running.messages import Began, Died, Done, Epoch, Message, Ready, Stopped
from nextify.studies.running.progress import Ending, Progress, Seat, Show, Snapshot, silent
from nextify.studies.running.remaining import Pace, seconds_left
from nextify.studies.running.summary import Setback, Summary
from nextify.studies.running.weights import keep_weights
from nextify.studies.running.worker import Orders

_TICK = 0.5  # seconds between two looks at the clock, where nothing else happens
_LOOK_AGAIN = 0.5  # seconds between two looks at a run that another process trains
# Seconds that a worker's death has to be survived before it is a run's failure: one who kills a
# study's processes one after another has not said anything about the run.
_GRACE = 0.25


class Interrupted(KeyboardInterrupt):
    """Ctrl-C. Its text says how many runs are recorded, and how to go on; see also `summary`."""

    def __init__(self, path: Path, summary: Summary) -> None:
        super().__init__(
            f"interrupted: {summary.done} of {summary.planned} runs are recorded in {path}; "
            "the same command goes on with the rest"
        )
        self.summary = summary


@dataclass(frozen=True, slots=True)
class _Now:
    """What a worker is doing. `environment`: what it said when it was ready; `job`: what it was
    given; `began`: when it said that it began."""

    environment: Mapping[str, Any] | None = None
    job: Job | None = None
    began: float | None = None
    epoch: int = 0
    epochs: int = 0

    def seconds(self) -> float:
        """Of the run."""
        return 0.0 if self.began is None else time.monotonic() - self.began


class Supervisor:
    """Hands out jobs, listens to workers, writes, keeps count."""

    def __init__(
        self,
        path: Path,
        plan: Plan,
        records: Iterable[Record],
        locks: RunLocks,
    ) -> None:
        self.path = path
        self.plan = plan
        self.jobs = jobs_of(plan)
        self.locks = locks
        known = self._known(records)
        self.before = frozenset(known)
        self.recorded = set(self.before)  # by this start and, as far as is known, by others
        self.given: set[str] = set()  # what becomes of these, this start records
        self.pending = deque(job for key, job in self.jobs.items() if key not in known)
        self.waiting: list[Job] = []  # for another process
        self.look_again = 0.0
        self.now: dict[int, _Now] = {}  # by seat
        self.endings: list[Ending] = []
        self.started = time.monotonic()
        self.started_at = datetime.now(UTC).isoformat(timespec="seconds")
        self.pace = Pace()
        for key, record in known.items():
            self._learn_pace(self.jobs[key], record)

    def carry_out(self, crew: Crew, orders: Orders, tell: Show, progress: Progress | None) -> None:
        """Until every job has a record. Who follows the study from elsewhere is told by `tell`."""
        self.crew, self.orders = crew, orders
        try:
            with progress or silent() as show:
                try:
                    for seat in range(min(crew.seats, len(self.pending))):
                        self._hire(seat)
                    while self._unfinished():
                        self._turn(show, tell)
                    self.now.clear()
                    show(self._snapshot())
                finally:
                    crew.dismiss()
        except KeyboardInterrupt:
            raise Interrupted(self.path, self.summary()) from None

    def summary(self) -> Summary:
        """What this start came to, as the study file has it: what an interrupt has cut short may
        be recorded and not counted."""
        with Store.open(self.path, create=False) as store:
            known = self._known(store.records())
        ours = Counter(record.outcome for key, record in known.items() if key in self.given)
        return Summary(
            planned=len(self.jobs),
            recorded=len(self.before),
            **{outcome: ours[outcome] for outcome in get_args(Outcome)},
            elsewhere=len(known) - len(self.before) - ours.total(),
            seconds=time.monotonic() - self.started,
            failures=self._setbacks(known, "failed"),
            divergences=self._setbacks(known, "diverged"),
        )

    def _setbacks(self, known: Mapping[str, Record], outcome: Outcome) -> tuple[Setback, ...]:
        return tuple(
            Setback(job.cell, job.seed, key, known[key].message, key in self.before)
            for key, job in self.jobs.items()
            if key in known and known[key].outcome == outcome
        )

    def _known(self, records: Iterable[Record]) -> dict[str, Record]:
        """The records of jobs, by the job's key: their own may be of an earlier revision."""
        found = places(self.plan, records)
        at = {key: found.get((job.cell, job.seed)) for key, job in self.jobs.items()}
        return {key: record for key, record in at.items() if record is not None}

    def _hire(self, seat: int) -> None:
        self.crew.hire(seat, self.orders)
        self.now[seat] = _Now()

    def _unfinished(self) -> bool:
        return bool(self.pending or self.waiting or any(now.job for now in self.now.values()))

    def _turn(self, show: Show, tell: Show) -> None:
        for seat, now in self.now.items():
            idle = now.environment is not None and now.job is None
            if idle and (job := self._claimed()):
                self.now[seat] = replace(now, job=job)
                self.crew.give(seat, job.run)
        snapshot = self._snapshot()
        show(snapshot)
        tell(snapshot)
        for seat, message in self.crew.listen(_TICK):
            self._hear(seat, message)

    def _claimed(self) -> Job | None:
        """The next job that nobody else has and that has no record: it is ours now."""
        if not self.pending and time.monotonic() >= self.look_again:
            self.look_again = time.monotonic() + _LOOK_AGAIN
            self.pending.extend(self.waiting)
            self.waiting.clear()
        while self.pending:
            job = self.pending.popleft()
            ours = self.locks.claim(job.key)
            # After the claim: who had it before has released it when the record was written.
            with Store.open(self.path, create=False) as store:
                there = store.get(job.key) is not None
            if ours and not there:
                self.given.add(job.key)
                return job
            if ours:
                self.locks.release(job.key)
            if there:
                self.recorded.add(job.key)
            else:
                self.waiting.append(job)
        return None

    def _hear(self, seat: int, message: Message) -> None:
        now = self.now[seat]
        match message:
            case Ready(environment):
                self.now[seat] = _Now(environment)
            case Began():
                self.now[seat] = replace(now, began=time.monotonic())
            case Epoch(epoch, epochs):
                self.now[seat] = replace(now, epoch=epoch, epochs=epochs)
            case Done():
                assert now.job is not None
                self._record(now.job, message, now.seconds())
                self.now[seat] = _Now(now.environment)
            case Stopped() | Died():
                del self.now[seat]
                self._lose(seat, now, message)

    def _record(self, job: Job, trained: Done, seconds: float) -> None:
        """Write what became of a run: the only place that does."""
        record = replace(trained.record, cells=job.cells)
        keep(self.path, job.key, trained.artefacts)
        if trained.weights is not None:
            keep_weights(self.path, job.key, trained.weights)
        with Store.open(self.path, create=False) as store:
            store.add(record, self.plan, trained.measurements)
        self.locks.release(job.key)
        self.recorded.add(job.key)
        accuracy = record.result.accuracy if record.result else None
        told = (job.label, record.outcome, record.message, seconds, accuracy)
        self.endings.append(Ending(*told))
        self._learn_pace(job, record)

    def _lose(self, seat: int, now: _Now, message: Stopped | Died) -> None:
        """A worker is gone: with its run, at its start, or because no run can be trained."""
        starting = now.environment is None
        match message:
            case Stopped(text, detail) if not detail:
                raise InputError(text)
            case _ if starting and self.now:
                return  # the others may have the memory that this one had not
            case Stopped(text, detail):
                what = "no worker could start" if starting else "a worker stopped"
                raise RuntimeError(f"{what}: {text}\n{detail}")
            case Died(how) if starting:
                raise InputError(
                    f"no worker could start: {how} while it loaded the data; "
                    "ask for fewer workers, or for less data"
                )
            case Died(how):
                time.sleep(_GRACE)
                if now.job is not None:
                    self._lose_run(now, now.job, how)
                if self.pending or self.waiting:
                    self._hire(seat)

    def _lose_run(self, now: _Now, job: Job, how: str) -> None:
        """It failed, if it had begun."""
        if now.began is not None:
            record = failed(job.run, how, now.environment or {})
            self._record(job, Done(record), now.seconds())
        else:
            self.locks.release(job.key)
            self.given.discard(job.key)
            self.pending.appendleft(job)

    def _learn_pace(self, job: Job, record: Record) -> None:
        if record.measured is not None and record.outcome == "finished":
            seconds = record.measured.seconds + record.measured.evaluation_seconds
            self.pace.add(job.cell, job.work, seconds)

    def _snapshot(self) -> Snapshot:
        return Snapshot(
            total=len(self.jobs),
            done=len(self.recorded),
            waiting=len(self.waiting),
            waiting_for=self._waiting_for(),
            seats=tuple(_seat(number, now) for number, now in self.now.items()),
            endings=tuple(self.endings),
            elapsed=time.monotonic() - self.started,
            left=self._seconds_left(),
            pid=os.getpid(),
            started_at=self.started_at,
        )

    def _waiting_for(self) -> str:
        """The first run that another process has, and which process that is."""
        if not self.waiting:
            return ""
        first = self.waiting[0]
        holder = self.locks.holder(first.key)
        return f"{first.label}{f' (process {holder})' * bool(holder)}"

    def _seconds_left(self) -> float | None:
        expected = [self.pace.expect(job.cell, job.work) for job in self.pending]
        for now in self.now.values():
            if now.job is not None:
                whole = self.pace.expect(now.job.cell, now.job.work)
                expected.append(None if whole is None else max(whole - now.seconds(), 0.0))
        return seconds_left(expected, len(self.now))


def _seat(number: int, now: _Now) -> Seat:
    if now.job is None:
        return Seat(number, loading=now.environment is None)
    return Seat(number, now.job.label, now.epoch, now.epochs, now.seconds())
