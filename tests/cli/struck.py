"""Commands in processes that are struck by a signal, at a moment that may be chosen.

    python struck.py

reads a line of JSON for each command, the arguments of `live`, and says the number of its process
and then its exit code, which takes another line. It has imported everything once and forks: a
command starts at once.
"""

import json
import os
import signal
import sys
import time
import traceback
from pathlib import Path

from nextify.cli.main import main

LOG, TOUCHED = "log", "touched"


class Strike:
    """Sends a signal to this process when it touches a file in a folder for the so-many-th time.

    A file that is about to be brought to the disk is cut in half before.
    """

    def __init__(self, folder: str, sent: int, moment: int) -> None:
        self.folder, self.sent, self.moment, self.touched = folder, sent, moment, 0
        self.fsync = os.fsync
        os.fsync = self.bring_to_disk
        sys.addaudithook(self.hear)

    def hear(self, event: str, arguments: tuple[object, ...]) -> None:
        """Python says what it is about to do: open a file, move it, remove it."""
        touches = event in ("open", "os.rename", "os.remove", "sqlite3.connect")
        if touches and any(f"/{self.folder}/" in f"/{argument}" for argument in arguments):
            self.touch()

    def bring_to_disk(self, file: int) -> None:
        self.touch(file)
        self.fsync(file)

    def touch(self, file: int | None = None) -> None:
        self.touched += 1
        if self.touched == self.moment:
            if file is not None:
                os.ftruncate(file, os.fstat(file).st_size // 2)
            os.kill(os.getpid(), self.sent)


def live(arguments: list[str], where: str, folder: str, sent: int = 0, moment: int = 0) -> None:
    """Carry out a command in a folder `where`, and leave there what it says and how often it
    touched a file in `folder`, its own, and for how many seconds it lived."""
    os.chdir(where)
    log = os.open(LOG, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 1)
    os.dup2(log, 2)
    strike, code, began = Strike(folder, sent, moment), 1, time.monotonic()
    try:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        code = main(arguments)
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        Path(TOUCHED).write_text(f"{strike.touched} {time.monotonic() - began}")
    except KeyboardInterrupt:  # before the command has begun, or when it has ended
        code = 130
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":  # and not when the workers of a study import it
    import nextify.cli.choosing
    import nextify.cli.training  # noqa: F401

    signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job has none
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # until the command begins
    while line := sys.stdin.readline():
        child = os.fork()
        if not child:
            live(**json.loads(line))
        os.setpgid(child, child)
        print(child, flush=True)
        end = os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
        print(end.si_status * (1 if end.si_code == os.CLD_EXITED else -1), flush=True)
        sys.stdin.readline()  # until then nobody else has its number
        os.waitpid(child, 0)
