"""Probes' values as scores: one a probe, and one for each number that it names besides."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping

from nextify.errors import InputError, unknown
from nextify.findings.scores import ATTRIBUTED, Direction, ProbeScore
from nextify.records.measurement import AllProbed, Measurement

_DIRECTIONS: Mapping[str, Direction] = {"higher": 1, "lower": -1}
_OTHER_VERSION = "measured by another version of the probe"


def probe_scores(probed: AllProbed) -> dict[str, ProbeScore]:
    """What each probe found, its one number, by the probe's name.

    Values of different versions of a probe are not comparable: the latest one's count.

    >>> found = Measurement(probe="erf", version=1, value=0.5)
    >>> runs = {"a": {"erf": found}, "b": {"erf": Measurement(probe="erf", version=1)}}
    >>> probe_scores(runs)["erf"].values
    {'a': 0.5}
    """
    return {name: _score(name, of) for name, of in sorted(_by_probe(probed).items())}


def named_scores(probed: AllProbed) -> dict[str, ProbeScore]:
    """The same, with the further numbers that probes name: `shift-consistency.stage1`."""
    return {each.name: each for name, of in _by_probe(probed).items() for each in _scores(name, of)}


def score_named(name: str, probed: AllProbed) -> ProbeScore:
    """A probe's value, or one of its named values, as a score.

    Raises:
        InputError: nothing of this name was measured; with the nearest name.
    """
    known = named_scores(probed)
    if name in known:
        return known[name]
    if not known:
        probes = "this study has no values of probes"
        kept = ", ".join(each.replace(" ", "-") for each in ATTRIBUTED)
        raise InputError(f"unknown score {name!r}: {probes}; give one of {kept}")
    plain = [each.replace(" ", "-") for each in ATTRIBUTED]
    raise unknown("score", name, [*plain, *sorted(_by_probe(probed))], also=sorted(known))


_OfProbe = Mapping[str, Measurement]  # by the run's key


def _by_probe(probed: AllProbed) -> Mapping[str, _OfProbe]:
    found: dict[str, dict[str, Measurement]] = {}
    for key, of in probed.items():
        for name, each in of.items():
            found.setdefault(name, {})[key] = each
    return found


def _scores(name: str, of: _OfProbe) -> Iterator[ProbeScore]:
    yield _score(name, of)
    parts = dict.fromkeys(part for each in of.values() for part in each.values)
    for part in parts:
        yield _score(name, of, part)


def _score(name: str, of: _OfProbe, part: str = "") -> ProbeScore:
    latest = max(each.version for each in of.values())
    kept = {key: each for key, each in of.items() if each.version == latest}
    old = {_OTHER_VERSION: len(of) - len(kept)} if len(kept) < len(of) else {}
    about = max(kept.values(), key=lambda each: part in each.values)
    value: Callable[[Measurement], float | None] = lambda each: each.values.get(part)  # noqa: E731
    if not part:
        value = lambda each: each.value  # noqa: E731
    own_unit = about.units.get(part)
    known = {key: found for key, each in kept.items() if (found := value(each)) is not None}
    return ProbeScore(
        name=f"{name}.{part}" if part else name,
        unit=about.unit if own_unit is None else own_unit,
        better=_DIRECTIONS.get(about.better, 0) if own_unit is None else 0,
        values=known,
        reasons={**_reasons(each for key, each in kept.items() if key not in known), **old},
    )


def _reasons(lacking: Iterable[Measurement]) -> dict[str, int]:
    counts = Counter(_reason(each) for each in lacking)
    return dict(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])))


def _reason(of: Measurement) -> str:
    why = of.reason or "it has no such value"
    return f"the probe failed: {why}" if of.failed else why
