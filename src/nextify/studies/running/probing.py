"""Probes of a study's kept networks, measured later, by workers side by side.

What is measured is in the study file at once, run by run: to resume is to start again.
"""

import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from nextify.designs import AnyDesign, Run
from nextify.errors import InputError
from nextify.findings.misread import probed_size, stands
from nextify.machine import cores
from nextify.records import Measurement, Outcome, Plan, Record, Store, places
from nextify.studies.running.crew import Crew
from nextify.studies.running.execute import gpus
from nextify.studies.running.local import LocalCrew
from nextify.studies.running.messages import Began, Died, Done, Message, Ready, Stopped
from nextify.studies.running.probed import ProbeKept
from nextify.studies.running.progress import Ending, Progress, Seat, Snapshot, silent
from nextify.studies.running.remaining import seconds_left
from nextify.studies.running.weights import weights_file
from nextify.studies.running.worker import Orders, Setup

_TICK = 0.5  # seconds between two looks at the clock


@dataclass(frozen=True, slots=True)
class Asked:
    """A probe: the name or file by which workers find it, and what its measurements say it is."""

    word: str
    name: str
    version: int

    def is_in(self, found: dict[str, Measurement], design: AnyDesign, image_size: int) -> bool:
        """Whether it is among what was found of a network; what failed or was misread is not."""
        there = found.get(self.name)
        return there is not None and stands(there, self.version, design, image_size)


@dataclass(frozen=True, kw_only=True, slots=True)
class ProbedRuns:
    """What probing a study's networks came to.

    Attributes:
        runs: finished ones. before: of which nothing lacked. measured: by this start. unkept: of
            which something lacks, and no network is kept. failures: what could not be probed, by
            the run in words.
    """

    runs: int
    before: int
    measured: int = 0
    unkept: int = 0
    failures: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Job:
    label: str
    run: Run
    key: str  # of its record, which may be an earlier revision's
    words: tuple[str, ...]


def probe_kept(
    file: Path,
    asked: Sequence[Asked],
    setup: Setup,
    *,
    workers: int | None = None,
    devices: Sequence[str] | None = None,
    crew: Crew | None = None,
    progress: Progress | None = None,
) -> ProbedRuns:
    """Measure what lacks of these probes on the kept networks of a study's finished runs.

    Args:
        setup, workers, devices, crew, progress: as `execute` takes them.

    Raises:
        InputError: the file cannot be read or written, or the images are others.
        KeyboardInterrupt: that says how many are measured. All workers have ended.
    """
    with Store.open(file, create=False) as store, store.at_one_moment():
        plan, records, there = store.plan(), store.records(), store.measurements()
    jobs, finished = _jobs(plan, records, there, asked)
    kept = [job for job in jobs if weights_file(file, job.key).is_file()]
    told = ProbedRuns(
        runs=finished, before=finished - len(jobs), unkept=len(jobs) - len(kept)
    )  # fmt: skip
    if not kept:
        return told
    Store.open(file).close()  # what is found can be kept there: what is damaged is mended
    devices = gpus() if devices is None else devices
    crew = crew or LocalCrew(min(workers or len(devices) or cores(), len(kept)), devices)
    return _Probing(file, kept, told).carry_out(crew, setup, plan, progress)


def _jobs(
    plan: Plan,
    records: Sequence[Record],
    there: dict[str, dict[str, Measurement]],
    asked: Sequence[Asked],
) -> tuple[list[_Job], int]:
    """What lacks of finished runs, and how many of these there are."""
    found: dict[str, _Job] = {}
    cells, size = {cell.name: cell for cell in plan.cells}, probed_size(plan)
    for (name, seed), record in places(plan, records).items():
        if record.result is not None and record.key not in found:
            own = there.get(record.key, {})
            run = plan.run(cells[name], seed)
            lacking = tuple(a.word for a in asked if not a.is_in(own, run.design, size))
            found[record.key] = _Job(f"{name}, seed {seed}", run, record.key, lacking)
    return [job for job in found.values() if job.words], len(found)


@dataclass(frozen=True, slots=True)
class _Now:
    """What a worker is doing: whether it has loaded the images, the network that it was given, and
    when it said that it began."""

    is_ready: bool = False
    job: _Job | None = None
    began: float | None = None

    def seconds(self) -> float:
        """Since then."""
        return 0.0 if self.began is None else time.monotonic() - self.began


class _Probing:
    """Hands out networks, listens, writes, keeps count."""

    def __init__(self, file: Path, jobs: Sequence[_Job], told: ProbedRuns) -> None:
        self.file, self.told, self.jobs = file, told, jobs
        self.pending = deque(jobs)
        self.now: dict[int, _Now] = {}  # by seat
        self.endings: list[Ending] = []
        self.failures: dict[str, str] = {}
        self.measured = 0
        self.began = time.monotonic()

    def carry_out(
        self, crew: Crew, setup: Setup, plan: Plan, progress: Progress | None
    ) -> ProbedRuns:
        files = {job.run.key: weights_file(self.file, job.key) for job in self.jobs}
        train = ProbeKept(files, {job.run.key: job.words for job in self.jobs})
        orders = Orders(setup, train, plan.data)
        try:
            with progress or silent() as show, _dismissed(crew):
                for seat in range(min(crew.seats, len(self.jobs))):
                    self._hire(crew, seat, orders)
                while self.pending or any(now.job for now in self.now.values()):
                    self._give(crew)
                    show(self._snapshot())
                    for seat, message in crew.listen(_TICK):
                        self._hear(crew, seat, message, orders)
                self.now.clear()
                show(self._snapshot())
        except KeyboardInterrupt:
            raise KeyboardInterrupt(
                f"interrupted: {self.told.before + self.measured} of {self.told.runs} networks are "
                f"measured in {self.file}; the same command goes on with the rest"
            ) from None
        return self._result()

    def _hire(self, crew: Crew, seat: int, orders: Orders) -> None:
        crew.hire(seat, orders)
        self.now[seat] = _Now()

    def _give(self, crew: Crew) -> None:
        for seat, now in self.now.items():
            if self.pending and now.is_ready and now.job is None:
                job = self.pending.popleft()
                self.now[seat] = replace(now, job=job)
                crew.give(seat, (job.run,))

    def _hear(self, crew: Crew, seat: int, message: Message, orders: Orders) -> None:
        now = self.now[seat]
        match message:
            case Ready():
                self.now[seat] = _Now(is_ready=True)
            case Began():
                self.now[seat] = replace(now, began=time.monotonic())
            case Done():
                self._record(now, message)
                self.now[seat] = _Now(is_ready=True)
            case Stopped(text, detail) if detail:
                raise RuntimeError(f"a worker stopped: {text}\n{detail}")
            case Stopped(text):
                raise InputError(text)
            case Died(how):
                del self.now[seat]
                self._lose(now, how)
                if self.pending and now.is_ready:  # one that died while it loaded would again
                    self._hire(crew, seat, orders)

    def _record(self, now: _Now, done: Done) -> None:
        """Write what was found: the only place that does."""
        assert now.job is not None
        if done.record.outcome == "failed":
            self._end(now, now.job, done.record.message)
            return
        with Store.open(self.file, create=False) as store:
            store.keep_measurements(now.job.key, done.measurements)
        self.measured += 1
        self._end(now, now.job)

    def _lose(self, now: _Now, how: str) -> None:
        """A worker is gone: with its network, before it began with that, or at its start."""
        if now.job is not None and now.began is not None:
            self._end(now, now.job, how)
        elif now.job is not None:
            self.pending.appendleft(now.job)
        elif not (now.is_ready or self.now) and self.pending:
            raise InputError(
                f"no worker could start: {how} while it loaded the data; ask for fewer workers"
            )

    def _end(self, now: _Now, job: _Job, trouble: str = "") -> None:
        if trouble:
            self.failures[job.label] = trouble
        said = trouble or "probed"
        outcome: Outcome = "failed" if trouble else "finished"
        self.endings.append(Ending(job.label, outcome, said, now.seconds()))

    def _snapshot(self) -> Snapshot:
        took = [each.seconds for each in self.endings]
        mean = sum(took) / len(took) if took else None
        left = [mean] * (len(self.pending) + sum(now.job is not None for now in self.now.values()))
        return Snapshot(
            total=len(self.jobs),
            done=len(self.endings),
            waiting=0,
            seats=tuple(_seat(number, now) for number, now in self.now.items()),
            endings=tuple(self.endings),
            elapsed=time.monotonic() - self.began,
            left=seconds_left(left, len(self.now)),
        )

    def _result(self) -> ProbedRuns:
        told = self.told
        return ProbedRuns(
            runs=told.runs,
            before=told.before,
            measured=self.measured,
            unkept=told.unkept,
            failures=self.failures,
        )


@contextmanager
def _dismissed(crew: Crew) -> Iterator[None]:
    try:
        yield
    finally:
        crew.dismiss()


def _seat(number: int, now: _Now) -> Seat:
    return Seat(number) if now.job is None else Seat(number, now.job.label, seconds=now.seconds())
