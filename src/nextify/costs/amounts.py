"""Amounts as people write them: 12M parameters, 2.2G multiply-accumulates, 200MB, 190MiB."""

import re
from decimal import Decimal

from nextify.designs.fields import LARGEST
from nextify.errors import InputError

_PREFIXES = ("", "k", "m", "g", "t")
_NUMBER = r"(?P<number>[0-9]{1,18}(?:\.[0-9]{1,18})?(?:[eE]\+?[0-9]{1,2})?)"
_COUNT = re.compile(_NUMBER + r" ?(?P<prefix>[kKmMgGtT]?)", re.ASCII)
_SECONDS = re.compile(_NUMBER + r" ?(?P<unit>us|ms|s)", re.ASCII)
_UNITS = {"us": Decimal("1e-6"), "ms": Decimal("1e-3"), "s": Decimal(1)}
_BYTES = re.compile(_NUMBER + r" ?(?P<prefix>[kKmMgGtT]?)(?P<binary>i?)B", re.ASCII)


def read_count(name: str, given: float | str) -> int:
    """A number, also from text, with k, M, G or T for powers of a thousand.

    >>> read_count("params", "12M"), read_count("macs", "2.2G"), read_count("params", "500k")
    (12000000, 2200000000, 500000)

    Raises:
        InputError: with the name and what was given.
    """
    if not isinstance(given, str):
        return _whole(name, given, given)
    match = _COUNT.fullmatch(given)
    if match is None:
        raise InputError(f"{name} is {given!r}; give a number, as 12M, 2.2G, 500k or 12000000")
    return _whole(name, given, Decimal(match["number"]) * _factor(match["prefix"]))


def read_bytes(name: str, given: float | str) -> int:
    """Bytes, also from text: kB, MB, GB are powers of 1000, KiB, MiB, GiB of 1024.

    >>> read_bytes("activation_memory", "200MB"), read_bytes("activation_memory", "1.5KiB")
    (200000000, 1536)

    Raises:
        InputError: with the name and what was given.
    """
    if not isinstance(given, str):
        return _whole(name, given, given)
    match = _BYTES.fullmatch(given)
    if match is None or (match["binary"] and not match["prefix"]):
        raise InputError(f"{name} is {given!r}; give bytes with their unit, as 200MB or 190MiB")
    factor = _factor(match["prefix"], 1024 if match["binary"] else 1000)
    return _whole(name, given, Decimal(match["number"]) * factor)


def _factor(prefix: str, base: int = 1000) -> int:
    return int(base ** _PREFIXES.index(prefix.lower()))


def _whole(name: str, given: float | str, amount: float | Decimal) -> int:
    if isinstance(given, bool) or not 1 <= amount <= LARGEST:
        raise InputError(f"{name} is {given!r}; it must be from 1 to {LARGEST:.0e}")
    return int(amount)


def read_seconds(name: str, given: float | str) -> float:
    """Seconds, also from text, with their unit: us, ms or s.

    >>> read_seconds("latency", "20ms"), read_seconds("latency", "1.5 s")
    (0.02, 1.5)

    Raises:
        InputError: with the name and what was given.
    """
    amount = given
    if isinstance(given, str):
        match = _SECONDS.fullmatch(given)
        if match is None:
            raise InputError(f"{name} is {given!r}; give a time with its unit, as 20ms or 1.5s")
        amount = float(Decimal(match["number"]) * _UNITS[match["unit"]])
    if isinstance(given, bool) or not 1e-6 <= float(amount) <= 86_400:
        raise InputError(f"{name} is {given!r}; it must be from 1us to 86400s")
    return float(amount)


def seconds_in_words(amount: float) -> str:
    """Seconds in three digits and a unit.

    >>> seconds_in_words(0.0204), seconds_in_words(2.5), seconds_in_words(0.0000851)
    ('20.4 ms', '2.5 s', '85.1 us')
    """
    factor, unit = next(
        (pair for pair in ((1.0, "s"), (1e3, "ms")) if amount * pair[0] >= 0.9995), (1e6, "us")
    )
    return f"{amount * factor:.3g} {unit}"


def in_words(amount: float) -> str:
    """A count in three to four digits and a prefix.

    >>> in_words(12_100_000), in_words(2_160_000_000), in_words(999), in_words(999_960)
    ('12.1M', '2.16G', '999', '1M')
    """
    return _short(amount, ("", "k", "M", "G", "T"))


def bytes_in_words(amount: float) -> str:
    """Bytes in three to four digits and a unit.

    >>> bytes_in_words(200_000_000), bytes_in_words(12)
    ('200 MB', '12 B')
    """
    return f"{_short(amount, (' ', ' k', ' M', ' G', ' T'))}B"


def _short(amount: float, prefixes: tuple[str, ...]) -> str:
    step = 0
    while step < len(prefixes) - 1 and float(f"{amount:.4g}") >= 1000:
        amount, step = amount / 1000, step + 1
    digits = f"{amount:.4g}" if amount < 10**6 else f"{amount:,.0f}"
    if float(digits.replace(",", "")) < 1000 and step:
        digits = f"{amount:.3g}"
    return f"{digits}{prefixes[step]}"
