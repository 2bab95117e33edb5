"""The supervisor of a study: which worker trains what, and what has become of it."""

import time
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from nextify.errors import InputError
from nextify.records import Record, Store
from nextify.study.running.crew import Crew, Worker
from nextify.study.running.failure import describe_death, failed
from nextify.study.running.jobs import Job
from nextify.study.running.messages import (
    Began,
    Died,
    Elsewhere,
    Ended,
    Epoch,
    Known,
    Message,
    Ready,
    Stopped,
)
from nextify.study.running.progress import Ending, Progress, Seat, Show, Snapshot, silent
from nextify.study.running.remaining import Pace, seconds_left
from nextify.study.running.summary import Setback, Summary

_TICK = 0.5  # seconds between two looks at the clock, where nothing else happens
_LOOK_AGAIN = 0.5  # seconds between two looks at a run that another process trains
# Seconds that a worker's death has to be survived before it is a run's failure: one who kills a
# study's processes one after another has not said anything about the run.
_GRACE = 0.25


class Interrupted(KeyboardInterrupt):
    """Ctrl-C. Its text says how many runs are recorded, and how to go on; see also `summary`."""

    def __init__(self, line: str, summary: Summary) -> None:
        super().__init__(line)
        self.summary = summary


@dataclass(frozen=True, slots=True)
class _Now:
    """What a worker is doing. `job`: what it was given; `began`: when it said that it began."""

    ready: bool = False
    job: Job | None = None
    began: float | None = None
    epoch: int = 0
    epochs: int = 0


class Supervisor:
    """Hands out jobs, listens to workers, keeps count."""

    def __init__(self, path: Path, jobs: Mapping[str, Job], records: Mapping[str, Record]) -> None:
        self.path = path
        self.jobs = jobs
        self.before = frozenset(key for key in jobs if key in records)
        self.pending = deque(job for key, job in jobs.items() if key not in records)
        self.waiting: list[Job] = []  # for another process
        self.look_again = 0.0
        self.elsewhere = 0  # runs that other processes recorded in the meantime
        self.now: dict[Worker, _Now] = {}
        self.endings: list[Ending] = []
        self.environment: Mapping[str, Any] = {}
        self.started = time.monotonic()
        self.pace = Pace()
        for key in self.before:
            self._learn_pace(jobs[key], records[key])

    def carry_out(self, crew: Crew, workers: int, progress: Progress | None) -> None:
        """Until every job has a record."""
        self.crew = crew
        try:
            with progress or silent() as show:
                for number in range(min(workers, len(self.pending))):
                    self._hire(number)
                while self._unfinished():
                    self._turn(show)
                self.now.clear()
                show(self._snapshot())
        except KeyboardInterrupt:
            crew.dismiss()
            self._settle()
            raise self._interrupted() from None
        finally:
            crew.dismiss()

    def summary(self) -> Summary:
        """What this start came to."""
        with Store.open(self.path, create=False) as store:
            records = {record.key: record for record in store.records()}
        ended = Counter(ending.outcome for ending in self.endings)
        troubled = [(job, records[key]) for key, job in self.jobs.items() if key in records]
        return Summary(
            planned=len(self.jobs),
            recorded=len(self.before),
            finished=ended["finished"],
            diverged=ended["diverged"],
            failed=ended["failed"],
            elsewhere=self.elsewhere,
            seconds=time.monotonic() - self.started,
            failures=tuple(self._setback(j, r) for j, r in troubled if r.outcome == "failed"),
            divergences=tuple(self._setback(j, r) for j, r in troubled if r.outcome == "diverged"),
        )

    def _hire(self, number: int) -> None:
        self.now[self.crew.hire(number)] = _Now()

    def _unfinished(self) -> bool:
        busy = any(now.job for now in self.now.values())
        return bool(self.pending or self.waiting or busy)

    def _turn(self, show: Show) -> None:
        self._look_at_waiting()
        for worker, now in self.now.items():
            if now.ready and now.job is None and self.pending:
                self._give(worker, self.pending.popleft())
        show(self._snapshot())
        for worker, message in self.crew.listen(_TICK):
            self._hear(worker, message)

    def _give(self, worker: Worker, job: Job) -> None:
        self.now[worker] = replace(self.now[worker], job=job)
        worker.give(job.run)

    def _look_at_waiting(self) -> None:
        """Runs of another process: count what it has recorded, and try to take what is left."""
        if self.pending or not self.waiting or time.monotonic() < self.look_again:
            return
        self.look_again = time.monotonic() + _LOOK_AGAIN
        with Store.open(self.path, create=False) as store:
            recorded = store.keys()
        left = [job for job in self.waiting if job.key not in recorded]
        self.elsewhere += len(self.waiting) - len(left)
        self.pending.extend(left)
        self.waiting.clear()

    def _hear(self, worker: Worker, message: Message) -> None:
        now = self.now[worker]
        match message:
            case Ready(environment):
                self.environment = environment
                self.now[worker] = _Now(ready=True)
            case Began():
                self.now[worker] = replace(now, began=time.monotonic())
            case Epoch(epoch, epochs):
                self.now[worker] = replace(now, epoch=epoch, epochs=epochs)
            case Ended() | Elsewhere() | Known():
                assert now.job is not None
                self._end(now.job, message)
                self.now[worker] = _Now(ready=True)
            case Stopped() | Died():
                del self.now[worker]
                self._lose(worker, now, message)

    def _end(self, job: Job, message: Ended | Elsewhere | Known) -> None:
        match message:
            case Ended(outcome, text, seconds, accuracy):
                self.endings.append(Ending(job.label, outcome, text, seconds, accuracy))
                if outcome == "finished":
                    self.pace.add(job.step, job.work, seconds)
            case Elsewhere():
                self.waiting.append(job)
            case Known():
                self.elsewhere += 1

    def _lose(self, worker: Worker, now: _Now, message: Stopped | Died) -> None:
        """A worker is gone: with its run, at its start, or because nothing can be recorded."""
        if isinstance(message, Stopped) and not message.detail:
            raise InputError(message.message)
        if not now.ready:
            self._lose_at_start(message)
            return
        if isinstance(message, Stopped):
            raise RuntimeError(f"a worker stopped: {message.message}\n{message.detail}")
        time.sleep(_GRACE)
        if now.job is not None and now.began is not None:
            self._record_death(now.job, message, time.monotonic() - now.began)
        elif now.job is not None:
            self.pending.appendleft(now.job)
        if self.pending or self.waiting:
            self._hire(worker.number)

    def _lose_at_start(self, message: Stopped | Died) -> None:
        """Others may have had the memory that this worker had not: go on with those there are."""
        if self.now:
            return
        if isinstance(message, Stopped):
            raise RuntimeError(f"no worker could start: {message.message}\n{message.detail}")
        raise InputError(
            f"no worker could start: {describe_death(message.code)} while it loaded the data; "
            "ask for fewer workers, or for less data"
        )

    def _record_death(self, job: Job, death: Died, seconds: float) -> None:
        record = failed(job.run, describe_death(death.code), self.environment)
        with Store.open(self.path, create=False) as store:
            store.add(record)
            kept = store.get(job.key) or record  # it may have died after it had recorded the run
        self._end(job, _ended(kept, seconds))

    def _settle(self) -> None:
        """Count the runs whose workers had recorded them and were ended before they said so."""
        with Store.open(self.path, create=False) as store:
            for now in self.now.values():
                if now.job is not None and (record := store.get(now.job.key)):
                    self._end(now.job, _ended(record, 0.0))
        self.now.clear()

    def _learn_pace(self, job: Job, record: Record) -> None:
        if record.measured is not None and record.outcome == "finished":
            seconds = record.measured.seconds + record.measured.evaluation_seconds
            self.pace.add(job.step, job.work, seconds)

    def _setback(self, job: Job, record: Record) -> Setback:
        return Setback(
            step=job.step,
            seed=job.run.seed,
            key=job.key,
            message=record.message,
            earlier=job.key in self.before,
        )

    def _interrupted(self) -> Interrupted:
        summary = self.summary()
        line = (
            f"interrupted: {summary.done} of {summary.planned} runs are recorded in {self.path}; "
            "the same command goes on with the rest"
        )
        return Interrupted(line, summary)

    def _snapshot(self) -> Snapshot:
        clock = time.monotonic()
        return Snapshot(
            total=len(self.jobs),
            done=len(self.before) + len(self.endings) + self.elsewhere,
            waiting=len(self.waiting),
            seats=tuple(_seat(worker, now, clock) for worker, now in self.now.items()),
            endings=tuple(self.endings),
            elapsed=clock - self.started,
            left=self._seconds_left(clock),
        )

    def _seconds_left(self, clock: float) -> float | None:
        expected = [self.pace.expect(job.step, job.work) for job in self.pending]
        for now in self.now.values():
            if now.job is not None:
                whole = self.pace.expect(now.job.step, now.job.work)
                spent = clock - (now.began or clock)
                expected.append(None if whole is None else max(whole - spent, 0.0))
        return seconds_left(expected, len(self.now))


def _ended(record: Record, seconds: float) -> Ended:
    accuracy = record.result.accuracy if record.result else None
    return Ended(record.outcome, record.message, seconds, accuracy)


def _seat(worker: Worker, now: _Now, clock: float) -> Seat:
    if now.job is None:
        return Seat(worker.number, loading=not now.ready)
    seconds = clock - (now.began or clock)
    return Seat(worker.number, now.job.label, now.epoch, now.epochs, seconds)
