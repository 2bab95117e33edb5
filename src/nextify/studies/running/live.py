"""The live state of a study, for others: a file beside it that says what it is doing.

`<study>.live` is JSON, written whole about once a second and removed at the end. After a kill -9 it
stays behind, so who reads it looks whether somebody holds the lock of the one who writes it. Of
several supervisors of one study the first one writes; when it ends, another goes on.
"""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from os import PathLike
from pathlib import Path

from nextify.designs.values import from_values
from nextify.files import parse_json
from nextify.studies.running.locks import SHOWING, RunLocks, beside
from nextify.studies.running.progress import Show, Snapshot

_EVERY = 1.0  # seconds


@contextmanager
def told(study: Path, locks: RunLocks) -> Iterator[Show]:
    """Keep the file, as far as the disk allows; it is not worth a study."""
    file, draft = beside(study, "live"), beside(study, "live.new")
    ours, due = locks.claim(SHOWING), 0.0

    def tell(snapshot: Snapshot) -> None:
        nonlocal ours, due
        if time.monotonic() < due:
            return
        due = time.monotonic() + _EVERY
        ours = ours or locks.claim(SHOWING)
        if ours:
            with suppress(OSError):
                draft.write_text(json.dumps(asdict(snapshot)), encoding="utf-8")
                draft.replace(file)

    try:
        yield tell
    finally:
        if ours:
            with suppress(OSError):
                draft.unlink(missing_ok=True)
                file.unlink(missing_ok=True)
            locks.release(SHOWING)


def read_live(study: str | PathLike[str]) -> Snapshot | None:
    """What a study is doing; None where nobody is carrying it out.

    >>> read_live("study.db").done  # doctest: +SKIP
    12
    """
    path = Path(study)
    try:
        snapshot = from_values(Snapshot, parse_json(beside(path, "live").read_bytes()))
        with RunLocks(path) as locks:
            if locks.claim(SHOWING):
                return None
        return snapshot
    except (OSError, ValueError):  # an InputError is a ValueError
        return None  # there is none, or another version's
