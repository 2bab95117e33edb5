"""Which probes there are: the files of `nextify.probes.kinds`, and files of the user's."""

import importlib.util
import pkgutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from pathlib import Path

from nextify.errors import InputError, unknown
from nextify.probes import kinds
from nextify.probes.probe import Probe


class _Known(Mapping[str, Probe]):
    """The probes by name; each is imported when it is asked for."""

    def __getitem__(self, name: str) -> Probe:
        if name not in list(self):
            raise KeyError(name)
        probe: Probe = import_module(f"{kinds.__name__}.{name.replace('-', '_')}").PROBE
        return probe

    def __iter__(self) -> Iterator[str]:
        names = (found.name.replace("_", "-") for found in pkgutil.iter_modules(kinds.__path__))
        return iter(sorted(names))

    def __len__(self) -> int:
        return len(list(iter(self)))


PROBES: Mapping[str, Probe] = _Known()


def probes_named(names: Sequence[str]) -> tuple[Probe, ...]:
    """The probes of names, in their order and each once: `default` and `all` stand for several, a
    name that ends in `.py` for a user's own probe in that file.

    Raises:
        InputError: there is no such probe, or a file that has none.
    """
    return tuple(probes_by_word(names).values())


def probes_by_word(names: Sequence[str]) -> dict[str, Probe]:
    """As `probes_named`, each by the word that gives it alone: its name, or its file.

    >>> list(probes_by_word(["feature-collapse", "feature-collapse"]))
    ['feature-collapse']
    """
    found: dict[str, Probe] = {}
    for name in names:
        for probe in _of_name(name):
            word = name if name.endswith(".py") else probe.name
            if any(other.name == probe.name and there != word for there, other in found.items()):
                raise InputError(f"two probes are called {probe.name!r}; give one another name")
            found.setdefault(word, probe)
    return found


def _of_name(name: str) -> list[Probe]:
    if name.endswith(".py"):
        return [_in_file(Path(name))]
    if name in ("all", "default"):
        return [probe for probe in PROBES.values() if name == "all" or probe.is_default]
    if name not in PROBES:
        raise unknown("probe", name, list(PROBES), also=("default", "all"))
    return [PROBES[name]]


def _in_file(path: Path) -> Probe:
    """The probe of a user's file, which is run."""
    if not path.is_file():
        raise InputError(f"{path}: there is no such file; a probe's file has a Probe as PROBE")
    spec = importlib.util.spec_from_file_location(f"nextify_probe_{path.stem}", path)
    assert spec is not None and spec.loader is not None, "the name ends in .py"
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise InputError(f"{path} cannot be run: {type(error).__name__}: {error}") from error
    probe = getattr(module, "PROBE", None)
    if not isinstance(probe, Probe):
        raise InputError(f"{path} has no probe; let it say PROBE = nextify.probes.Probe(...)")
    return probe
