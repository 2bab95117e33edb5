"""What a folder holds: its images, in order, and all that is not taken, each with its reason.

Training and `predict` see folders by these functions, and so see the same. Hidden files and folders
are left out, and so is what others leave beside images: thumbnails and bins of network drives, what
a Mac adds to zip archives, the results of nextify itself. Links are followed, and those that lead
out of the folder are counted. Nothing is left out without being counted in `Found`.
"""

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from nextify.data.decoding import SUFFIXES

Reason = Literal[
    "suffix", "hidden", "special", "loose", "folder", "split", "beside", "own", "known"
]
"""Why something is left out: the ending of its name; its name begins with a dot; it is a pipe, a
socket or a device; it lies beside the class folders; it is of a kind that others leave; it is
another split, or beside the splits; it is of nextify itself; a link leads to it that is read
already."""

Identity = tuple[int, int]

# Folders that systems and programs leave beside images: network drives (Synology, QNAP, NetApp),
# Windows, macOS, file systems, Python.
_LITTER = frozenset(
    """@eadir @tmp @recycle @recently-snapshot @__thumb #recycle #snapshot ~snapshot __macosx
    $recycle.bin recycler recycled lost+found __pycache__""".split()  # noqa: SIM905
) | {"system volume information", "network trash folder", "temporary items"}

_MARKS = ("record.json", "choice.json", "network.safetensors", "best.safetensors", "checkpoint.pt")
_GENERATOR = b'<meta name="generator" content="nextify">'


@dataclass
class Found:
    """What a walk came by.

    Attributes:
        root: of the walk; a link that leads out of it is counted. Empty: nobody asks.
        left_out: how many, by reason and by what it is: the ending or the name.
        outside: images that are read through a link that leads out, by the link's name.
    """

    root: str = ""
    left_out: Counter[tuple[str, str]] = field(default_factory=Counter)
    outside: Counter[str] = field(default_factory=Counter)
    _told: set[str] = field(default_factory=set)  # folders whose entries are counted

    @classmethod
    def below(cls, root: Path) -> "Found":
        return cls(os.path.realpath(root))

    def leave(self, reason: Reason, what: str = "") -> None:
        self.left_out[reason, what] += 1

    def is_new(self, folder: Path) -> bool:
        """Whether a folder is looked at for the first time: what is left out counts once."""
        known = str(folder) in self._told
        self._told.add(str(folder))
        return not known

    def leads_out(self, path: str) -> bool:
        """Whether a link leads out of the folder."""
        target = os.path.realpath(path)
        return os.path.commonpath([self.root, target]) != self.root


def images_below(
    folder: Path, found: Found, above: frozenset[Identity] = frozenset()
) -> Iterator[str]:
    """The names of all images below a folder, relative to it, in order, but for results of nextify.

    Every folder is read once, whatever links lead to it, and none of those `above`: links in
    circles would never end.
    """
    seen = {*above}
    name = folder.name if folder.is_symlink() and found.leads_out(str(folder)) else None
    waiting = [("", iter(_entered(folder, seen, found)), name)]
    while waiting:
        prefix, entries, link = waiting[-1]
        entry = next(entries, None)
        if entry is None:
            waiting.pop()
            continue
        here = link
        if entry.is_symlink():
            here = entry.name if found.leads_out(entry.path) else None
        if is_folder(entry) and is_own(Path(entry.path)):
            found.leave("own", entry.name)
        elif is_folder(entry):
            inner = _entered(Path(entry.path), seen, found)
            waiting.append((f"{prefix}{entry.name}/", iter(inner), here))
        elif _is_taken(entry, found):
            if here is not None:
                found.outside[here] += 1
            yield prefix + entry.name


def _entered(folder: Path, seen: set[Identity], found: Found) -> "list[os.DirEntry[str]]":
    identity = identity_of(folder)
    if identity in seen:
        found.leave("known", folder.name)
        return []
    seen.add(identity)
    return entries_of(folder, found)


def _is_taken(entry: "os.DirEntry[str]", found: Found) -> bool:
    if not is_image_name(entry.name):
        found.leave("suffix", Path(entry.name).suffix.lower())
    elif _is_special(entry):
        found.leave("special")
    else:
        return True
    return False


def folders_of(folder: Path, found: Found | None = None) -> list[Path]:
    """The folders in a folder that may be classes or splits, in order; images beside them belong
    to nothing."""
    counted = found if found and found.is_new(folder) else Found()
    kept = []
    for entry in entries_of(folder, counted):
        if is_folder(entry) and not is_own(Path(entry.path)):
            kept.append(Path(entry.path))
        elif is_folder(entry):
            counted.leave("own", entry.name)
        elif is_image_name(entry.name):
            counted.leave("loose")
    return kept


def entries_of(folder: Path, found: Found | None = None) -> "list[os.DirEntry[str]]":
    """What a folder holds, sorted by name, without what is hidden or litter."""
    shown, counted = [], found or Found()
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                counted.leave("hidden")
            elif entry.name.casefold() in _LITTER and is_folder(entry):
                counted.leave("folder", entry.name)
            else:
                shown.append(entry)
    return sorted(shown, key=lambda entry: entry.name)


def is_folder(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def is_image_name(name: str) -> bool:
    return name.lower().endswith(SUFFIXES)


def _is_special(entry: "os.DirEntry[str]") -> bool:
    """Whether it is a pipe, a socket or a device. A broken link is not: reading it says so."""
    try:
        return not entry.is_file() and entry.stat() is not None
    except OSError:
        return False


def identity_of(folder: Path) -> Identity:
    status = folder.stat()
    return status.st_dev, status.st_ino


def is_own(folder: Path, depth: int = 4) -> bool:
    """Whether a folder is of nextify itself, by what is in it: a run, a study, a report, or only
    folders of these; and `runs` as long as it is empty."""
    try:
        if _is_report(folder / "report.html"):
            return True
        inner, marked = [], False
        with os.scandir(folder) as entries:
            for entry in entries:
                if is_folder(entry):
                    inner.append(Path(entry.path))
                elif is_image_name(entry.name):
                    return False
                else:
                    marked |= entry.name in _MARKS or entry.name.endswith(".study")
    except OSError:
        return False
    if marked:
        return True
    if not inner:
        return folder.name == "runs"
    return depth > 0 and all(is_own(each, depth - 1) for each in inner)


def _is_report(file: Path) -> bool:
    try:
        with file.open("rb") as page:
            return _GENERATOR in page.read(1000)
    except OSError:
        return False
