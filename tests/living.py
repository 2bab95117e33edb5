"""Which processes there are."""

from pathlib import Path


def running(group: int) -> list[int]:
    """The processes of a group, the one that leads it too; those that have ended and were not
    waited for are none. Each says of itself which group is its own."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            state, _, of = (process / "stat").read_text().rpartition(")")[2].split()[:3]
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(of) == group and state not in "ZX":
            found.append(int(process.name))
    return found
