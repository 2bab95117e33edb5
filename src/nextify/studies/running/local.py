"""The crew of this machine: worker processes."""

import os
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pickle import PicklingError

from nextify.designs import Run
from nextify.errors import InputError
from nextify.machine.processes import (
    SPAWN,
    deaf_to_interrupts,
    end_with_parent,
    is_starting,
    with_variables,
    without_main,
)
from nextify.studies.running.failure import describe_death
from nextify.studies.running.messages import Died, Message, Stopped
from nextify.studies.running.worker import Orders, work

_PATIENCE = 5.0  # seconds for a process to end that has closed its end of the pipe
_UNGUARDED = 78  # exit code of a worker that runs a script which begins the study again
_STARTING = threading.Lock()  # a process inherits the environment: one starts at a time


@dataclass(frozen=True)
class _Worker:
    process: SpawnProcess
    connection: Connection

    def next_message(self) -> Message:
        """What it said; that it died, if it said nothing more."""
        with suppress(EOFError, OSError):
            if self.connection.poll():
                message: Message = self.connection.recv()
                return message
        self.process.join(_PATIENCE)
        if self.process.exitcode == _UNGUARDED:
            return Stopped(
                "a script whose own functions are trained by workers runs again in each of them; "
                'write what it does below `if __name__ == "__main__":`'
            )
        return Died(describe_death(self.process.exitcode or 0))

    def end(self) -> None:
        self.process.kill()
        self.process.join()
        self.connection.close()


class LocalCrew:
    """Worker processes.

    Args:
        seats: how many.
        devices: names for `CUDA_VISIBLE_DEVICES`, dealt out in turn; none: the CPU.
    """

    def __init__(self, seats: int, devices: Sequence[str] = ()) -> None:
        self.seats = seats
        self._devices = devices
        self._workers: dict[int, _Worker] = {}

    def hire(self, seat: int, orders: Orders) -> None:
        """Start a process. Raises `InputError` where the system starts no more."""
        if is_starting():
            os._exit(_UNGUARDED)
        ours, theirs = SPAWN.Pipe()
        order = (theirs, orders, os.getpid())
        process = SPAWN.Process(target=_live, args=order, name=f"nextify worker {seat}")
        try:
            with _STARTING, with_variables(self._variables(seat)), deaf_to_interrupts():
                _start(process)
                # Before an interrupt can come: a worker that nobody knows would not be ended.
                self._workers[seat] = _Worker(process, ours)
        except OSError as error:
            raise InputError(
                f"cannot start a worker process ({error.strerror}); ask for fewer workers"
            ) from error
        except AssertionError as error:  # multiprocessing's own
            raise InputError("a daemon process may start no workers; start the study in a process "
                             "that is none (daemon=False)") from error  # fmt: skip
        theirs.close()  # or the end of the worker would not end the pipe

    def place(self, seat: int) -> str:
        """The GPU that the seat's worker computes on, or the processor."""
        return f"GPU {device}" if (device := self._device(seat)) else "the processor"

    def give(self, seat: int, runs: tuple[Run, ...]) -> None:
        """Send them."""
        with suppress(OSError):  # it has just died
            self._workers[seat].connection.send(runs)

    def listen(self, seconds: float) -> Iterator[tuple[int, Message]]:
        """At most one message of each."""
        heard = wait([worker.connection for worker in self._workers.values()], seconds)
        for seat, worker in tuple(self._workers.items()):
            if worker.connection in heard or not worker.process.is_alive():
                message = worker.next_message()
                if isinstance(message, Stopped | Died):
                    self._workers.pop(seat).end()
                yield seat, message

    def dismiss(self) -> None:
        """Kill them all, then wait for them."""
        for worker in self._workers.values():
            worker.process.kill()
        for worker in self._workers.values():
            worker.end()
        self._workers.clear()

    def _device(self, seat: int) -> str:
        return self._devices[seat % len(self._devices)] if self._devices else ""

    def _variables(self, seat: int) -> dict[str, str]:
        return {
            "OMP_NUM_THREADS": "1",
            "MKL_NUM_THREADS": "1",
            "CUDA_VISIBLE_DEVICES": self._device(seat),
            "PYTHONSAFEPATH": "1",  # a user's random.py here would be taken for Python's
        }


def _start(process: SpawnProcess) -> None:
    try:
        with without_main():
            process.start()
    except (PicklingError, AttributeError):  # a study's own functions, of the main module
        process.start()


def _live(connection: Connection, orders: Orders, supervisor: int) -> None:
    """The target of a worker's process. `supervisor` is its parent's process id."""
    # Ctrl-C is for the supervisor, which ends us. SIGINT is blocked from birth, but what training
    # uses may unblock it (multiprocessing does, when a worker starts processes of its own).
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with_parent(supervisor)
    os.dup2(2, 1)  # the study's standard output may be read by a program

    def say(message: Message) -> None:
        try:
            connection.send(message)
        except OSError:
            os._exit(1)  # without a supervisor; raised here, it would be a failure of the run

    work(orders, iter(connection.recv, None), say)  # without a supervisor, `say` ends it
