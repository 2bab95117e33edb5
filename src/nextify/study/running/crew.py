"""The workers of a study, as their supervisor sees them: hire, listen, dismiss."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess

from nextify.designs import Run
from nextify.errors import InputError
from nextify.machine.processes import SPAWN, deaf_to_interrupts, with_variables
from nextify.study.running.messages import Died, Message, Stopped
from nextify.study.running.worker import Orders, work

_PATIENCE = 5.0  # seconds for a process to end that has closed its end of the pipe


@dataclass(eq=False)
class Worker:
    """A worker process. `number` is its seat, which its replacement inherits."""

    number: int
    process: SpawnProcess
    connection: Connection

    def give(self, run: Run) -> None:
        """Give it a run. If it has just died, its death will be heard of."""
        try:
            self.connection.send(run)
        except OSError:
            return

    def next_message(self) -> Message:
        """What it said; that it died, if it said nothing more."""
        try:
            if self.connection.poll():
                message: Message = self.connection.recv()
                return message
        except (EOFError, OSError):
            pass
        self.process.join(_PATIENCE)
        return Died(self.process.exitcode or 0)

    def end(self) -> None:
        """End it at once. What it has recorded stays recorded."""
        self.process.kill()
        self.process.join()
        self.connection.close()


class Crew:
    """The worker processes of one study.

    Args:
        orders: for every worker.
        devices: names for `CUDA_VISIBLE_DEVICES`, dealt out in turn; none: the CPU.
    """

    def __init__(self, orders: Orders, devices: Sequence[str]) -> None:
        self._orders = orders
        self._devices = devices
        self.workers: list[Worker] = []

    def hire(self, number: int) -> Worker:
        """Start a worker.

        Raises:
            InputError: the system starts no more processes.
        """
        ours, theirs = SPAWN.Pipe()
        process = SPAWN.Process(
            target=work,
            args=(theirs, self._orders, os.getpid()),
            name=f"nextify worker {number}",
        )
        try:
            with deaf_to_interrupts(), with_variables(self._variables(number)):
                process.start()
                # Before an interrupt can come: a worker that nobody knows would not be ended.
                worker = Worker(number, process, ours)
                self.workers.append(worker)
        except OSError as error:
            raise InputError(
                f"cannot start a worker process ({error.strerror}); ask for fewer workers"
            ) from error
        theirs.close()  # or the end of the worker would not end the pipe
        return worker

    def listen(self, seconds: float) -> Iterator[tuple[Worker, Message]]:
        """What workers say within so many seconds; at most one message of each.

        One that stopped or died is no longer among `workers`.
        """
        heard = wait([worker.connection for worker in self.workers], seconds)
        for worker in tuple(self.workers):
            if worker.connection in heard or not worker.process.is_alive():
                message = worker.next_message()
                if isinstance(message, Stopped | Died):
                    self.workers.remove(worker)
                    worker.end()
                yield worker, message

    def dismiss(self) -> None:
        """End all workers at once."""
        for worker in self.workers:
            worker.process.kill()
        for worker in self.workers:
            worker.end()
        self.workers.clear()

    def _variables(self, number: int) -> dict[str, str]:
        device = self._devices[number % len(self._devices)] if self._devices else ""
        return {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": device}
