"""The supervisor of a study: it claims runs, gives them to a crew, writes what becomes of them,
and shows it. It alone opens the study file, and knows nothing of what the crew is."""

import os
import time
from collections import Counter, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import takewhile
from pathlib import Path
from typing import Any, get_args

from nextify.errors import InputError
from nextify.records import Outcome, Plan, Record, Store, places
from nextify.studies.running.artefacts import keep
from nextify.studies.running.crew import Crew
from nextify.studies.running.failure import failed
from nextify.studies.running.jobs import Job, Stack, jobs_of, stacks_of
from nextify.studies.running.locks import RunLocks
from nextify.studies.running.messages import Began, Died, Done, Epoch, Message, Ready, Stopped
from nextify.studies.running.progress import Ending, Progress, Seat, Show, Snapshot, silent
from nextify.studies.running.remaining import Pace, seconds_left
from nextify.studies.running.summary import Loss, Setback, Summary
from nextify.studies.running.weights import keep_weights
from nextify.studies.running.worker import Orders

_TICK = 0.5  # seconds between two looks at the clock, where nothing else happens
_LOOK_AGAIN = 0.5  # seconds between two looks at a run that another process trains
# Seconds that a worker's death has to be survived before it is a run's failure: one who kills a
# study's processes one after another has not said anything about the run.
_GRACE = 0.25
_MOST_DEATHS = 2  # of workers at one place, one after another without a run that did not fail


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
    """What a worker is doing. `environment`: what it said when it was ready; `stack`: what it was
    given, as far as it is not over; `began`: when it said that it began."""

    environment: Mapping[str, Any] | None = None
    stack: Stack | None = None
    began: float | None = None
    epoch: int = 0
    epochs: int = 0

    def seconds(self) -> float:
        """Since then."""
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
        missing = (job for key, job in self.jobs.items() if key not in known)
        self.pending = deque(stacks_of(missing))
        self.waiting: list[Stack] = []  # for another process
        self.look_again = 0.0
        self.now: dict[int, _Now] = {}  # by seat
        self.endings: list[Ending] = []
        self.closed: set[int] = set()  # seats that nobody is hired for any more
        self.deaths: Counter[str] = Counter()  # by place, since a run there did not fail
        self.losses: list[Loss] = []
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
                    for seat, message in crew.listen(0):  # who is at work already
                        self._hear(seat, message)
                    while self._unfinished():
                        self._staff()
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
            losses=tuple(self.losses),
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

    def _staff(self) -> None:
        """Hire for free seats, as long as there is work for more than are there."""
        waits = len(self.pending) + len(self.waiting)
        waits -= sum(now.stack is None for now in self.now.values())
        for seat in range(self.crew.seats):
            if waits <= 0:
                return
            if seat not in self.now and seat not in self.closed and self.crew.place(seat):
                self.crew.hire(seat, self.orders)
                self.now[seat] = _Now()
                waits -= 1

    def _unfinished(self) -> bool:
        return bool(self.pending or self.waiting or any(now.stack for now in self.now.values()))

    def _turn(self, show: Show, tell: Show) -> None:
        for seat, now in self.now.items():
            idle = now.environment is not None and now.stack is None
            if idle and (stack := self._claimed()):
                self.now[seat] = replace(now, stack=stack)
                self.crew.give(seat, stack.runs)
        snapshot = self._snapshot()
        show(snapshot)
        tell(snapshot)
        for seat, message in self.crew.listen(_TICK):
            self._hear(seat, message)

    def _claimed(self) -> Stack | None:
        """What is to be trained next: it is ours now."""
        if not self.pending and time.monotonic() >= self.look_again:
            self.look_again = time.monotonic() + _LOOK_AGAIN
            self.pending.extend(self.waiting)
            self.waiting.clear()
        while self.pending:
            if (stack := self._claim(self.pending.popleft())) is not None:
                return stack
        return None

    def _claim(self, stack: Stack) -> Stack | None:
        """What of a stack has no record, claimed; None where that is nothing, or where another
        process has some of it, which trains the same stack: then it waits."""
        ours = list(takewhile(lambda job: self.locks.claim(job.key), stack.jobs))
        # After the claim: who had them before has released them when the records were written.
        with Store.open(self.path, create=False) as store:
            there = {job.key for job in stack.jobs if store.get(job.key) is not None}
        self.recorded |= there
        left = tuple(job for job in stack.jobs if job.key not in there)
        is_free = all(job in ours for job in left)
        for job in ours:
            if job.key in there or not is_free:
                self.locks.release(job.key)
        if left and is_free:
            self.given |= {job.key for job in left}
            return Stack(left)
        if left:
            self.waiting.append(Stack(left))
        return None

    def _hear(self, seat: int, message: Message) -> None:
        now = self.now.get(seat, _Now())
        match message:
            case Ready(environment, at_work):
                self.now[seat] = _Now(environment, self._resumed(at_work))
            case Began():
                self.now[seat] = replace(now, began=time.monotonic())
            case Epoch(epoch, epochs):
                self.now[seat] = replace(now, epoch=epoch, epochs=epochs)
            case Done():
                self._end_run(seat, now, message)
            case Stopped() | Died():
                self.now.pop(seat, None)
                self._lose(seat, now, message)

    def _end_run(self, seat: int, now: _Now, done: Done) -> None:
        """The first run that a worker is at is over."""
        if now.stack is None or done.record.key in self.recorded:
            return  # it went on with what is recorded already, or is of no plan any more
        job, *left = now.stack.jobs
        self._record(job, done, now.seconds())
        if done.record.outcome != "failed":
            self.deaths[self.crew.place(seat)] = 0
        rest = replace(now, stack=Stack(tuple(left)))
        self.now[seat] = rest if left else _Now(now.environment)

    def _resumed(self, keys: Iterable[str]) -> Stack | None:
        """What a worker is at already and has no record: ours now."""
        jobs = tuple(self.jobs[key] for key in keys if key in self.jobs and key not in self.before)
        for job in jobs:
            self.locks.claim(job.key)
        taken = {job.key for job in jobs}
        self.given |= taken
        left = [job for stack in self.pending for job in stack.jobs if job.key not in taken]
        self.pending = deque(stacks_of(left))
        return Stack(jobs) if jobs else None

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
        if isinstance(message, Died) and message.with_machine:
            self._give_back(now)
            return
        starting, place = now.environment is None, self.crew.place(seat)
        self.deaths[place] += 1
        match message:
            case Stopped(text, detail) if not detail and not (starting and self._others(place)):
                raise InputError(text)
            case Stopped(how) | Died(how) if starting and self.now:
                self._give_up(seat, how)  # the others may have the memory that this one had not
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
                if now.stack is not None:
                    self._lose_runs(now, now.stack, how)
                if self.deaths[place] >= _MOST_DEATHS and self._others(place):
                    self._give_up(seat, how)
                else:
                    self._staff()

    def _give_back(self, now: _Now) -> None:
        """Let another worker have its runs."""
        if now.stack is not None:
            for job in now.stack.jobs:
                self.locks.release(job.key)
                self.given.discard(job.key)
            self.pending.appendleft(now.stack)

    def _lose_runs(self, now: _Now, stack: Stack, how: str) -> None:
        """They failed, if they had begun."""
        if now.began is None:
            self._give_back(now)
            return
        for job in stack.jobs:
            record = failed(job.run, how, now.environment or {})
            self._record(job, Done(record), now.seconds())

    def _give_up(self, seat: int, how: str) -> None:
        """Hire no other worker there; where this was the place's last one, that is told."""
        self.closed.add(seat)
        place, there = self.crew.place(seat), {self.crew.place(seat) for seat in self.now}
        if place not in there:
            self.losses.append(Loss(place, how))

    def _others(self, place: str) -> bool:
        """Whether there are workers elsewhere."""
        return any(self.crew.place(seat) != place for seat in self.now)

    def _learn_pace(self, job: Job, record: Record) -> None:
        if record.measured is not None and record.outcome == "finished":
            seconds = record.measured.seconds + record.measured.evaluation_seconds
            copies = job.run.copies  # whose seconds are the copy's share of the stack's
            self.pace.add(job.cell, copies * job.work, copies * seconds)

    def _snapshot(self) -> Snapshot:
        return Snapshot(
            total=len(self.jobs),
            done=len(self.recorded),
            waiting=sum(len(stack.jobs) for stack in self.waiting),
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
        first = self.waiting[0].jobs[0]
        holder = self.locks.holder(first.key)
        return f"{first.label}{f' (process {holder})' * bool(holder)}"

    def _seconds_left(self) -> float | None:
        expected = [self.pace.expect(stack.cell, stack.work) for stack in self.pending]
        for now in self.now.values():
            if now.stack is not None:
                whole = self.pace.expect(now.stack.cell, now.stack.work)
                expected.append(None if whole is None else max(whole - now.seconds(), 0.0))
        return seconds_left(expected, len(self.now))


def _seat(number: int, now: _Now) -> Seat:
    if now.stack is None:
        return Seat(number, loading=now.environment is None)
    return Seat(number, now.stack.label, now.epoch, now.epochs, now.seconds())
