"""Numbers as people write them (12M parameters, 190MiB, 20ms) and as a reader wants them: few
digits, units, and a real minus sign."""

import math
import re
import unicodedata
from collections.abc import Sequence
from decimal import Decimal
from numbers import Integral, Real
from reprlib import Repr
from typing import Any

from nextify.errors import InputError

LARGEST = 10**15  # no network or run is near it, and all arithmetic on it stays exact
MISSING = "–"
_TIDY = 6  # digits kept in files: below this, sums differ from machine to machine
_PREFIXES = ("", "k", "m", "g", "t")
_NUMBER = r"(?P<number>[0-9]{1,18}(?:\.[0-9]{1,18})?(?:[eE]\+?[0-9]{1,2})?)"
_COUNT = re.compile(_NUMBER + r" ?(?P<prefix>[kKmMgGtT]?)", re.ASCII)
_SECONDS = re.compile(_NUMBER + r" ?(?P<unit>us|ms|s|min|h)", re.ASCII)
_UNITS = {
    "us": Decimal("1e-6"),
    "ms": Decimal("1e-3"),
    "s": Decimal(1),
    "min": Decimal(60),
    "h": Decimal(3600),
}
_SHORT = Repr()
_SHORT.maxstring = _SHORT.maxother = 60
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


def in_columns(table: Sequence[Sequence[str]]) -> list[str]:
    """A head and rows of cells as lines: columns of numbers to the right, names to the left.

    A plain grid and not rich's table: rich would cut columns on a narrow terminal or in a pipe,
    and takes longer to import than the whole answer.

    >>> in_columns([("name", "n"), ("a", "10"), ("b", "9")])
    ['name   n', '────  ──', 'a     10', 'b      9']
    """
    columns = range(len(table[0]))
    widths = [max(room(row[at]) for row in table) for at in columns]
    numeric = [all(_is_number(row[at]) for row in table[1:]) for at in columns]
    lines = []
    for row in table:
        cells = (
            " " * (width - room(cell)) + cell if number else cell + " " * (width - room(cell))
            for cell, width, number in zip(row, widths, numeric, strict=True)
        )
        lines.append("  ".join(cells).rstrip())
    return [lines[0], "  ".join("─" * width for width in widths), *lines[1:]]


def room(text: str) -> int:
    """The columns that a text takes: letters of Chinese, Japanese and Korean take two.

    >>> room("cat"), room("猫")
    (3, 2)
    """
    return sum(map(room_of_letter, text))


def room_of_letter(letter: str) -> int:
    """One or two columns."""
    return 2 if unicodedata.east_asian_width(letter) in "WF" else 1


def _is_number(text: str) -> bool:
    return not text or text[0] in "0123456789+-–.±(" or text == "?"


def read_numbers(option: str, text: str) -> tuple[float, ...]:
    """Numbers between commas.

    Raises:
        InputError: they are none.
    """
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise InputError(f"{option} is {text!r}; give numbers, as 0.5,1,2") from None


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
    if not is_amount(amount) or not 1 <= amount <= LARGEST:
        raise InputError(f"{name} is {in_short(given)}; it must be from 1 to {LARGEST:.0e}")
    return int(amount)


def is_amount(value: object) -> bool:
    """Is it a number, and neither True nor False?"""
    return isinstance(value, Real | Decimal) and not isinstance(value, bool)


def read_seconds(name: str, given: float | str, such_as: str = "20ms or 1.5s") -> float:
    """Seconds, also from text, with their unit: us, ms, s, min or h.

    >>> read_seconds("latency", "20ms"), read_seconds("within", "1.5 h")
    (0.02, 5400.0)

    Args:
        such_as: what to give.

    Raises:
        InputError: with the name and what was given.
    """
    amount = given
    if isinstance(given, str):
        match = _SECONDS.fullmatch(given)
        if match is None:
            raise InputError(f"{name} is {given!r}; give a time with its unit, as {such_as}")
        amount = float(Decimal(match["number"]) * _UNITS[match["unit"]])
    if not is_amount(amount) or not 1e-6 <= float(amount) <= 86_400:
        raise InputError(f"{name} is {in_short(given)}; it must be from 1us to 86400s")
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


def gibibytes(count: int) -> str:
    """
    >>> gibibytes(3 << 29)
    '1.5 GiB'
    """
    return f"{count / 2**30:,.1f} GiB" if count < 2**70 else "far too many GiB"


def _short(amount: float, prefixes: tuple[str, ...]) -> str:
    step = 0
    while step < len(prefixes) - 1 and float(f"{amount:.4g}") >= 1000:
        amount, step = amount / 1000, step + 1
    digits = f"{amount:.4g}" if amount < 10**6 else f"{amount:,.0f}"
    if float(digits.replace(",", "")) < 1000 and step:
        digits = f"{amount:.3g}"
    return f"{digits}{prefixes[step]}"


def percent(value: float | None, digits: int = 2) -> str:
    """A number in per cent or points, not converted.

    >>> percent(87.314), percent(None)
    ('87.31', '–')
    """
    return MISSING if value is None else f"{value:.{digits}f}".replace("-", "−")


def plus_minus(value: float | None, half: float | None) -> str:
    """A mean with half the width of its interval, where it has one.

    >>> plus_minus(87.314, 0.314), plus_minus(87.314, None)
    ('87.31 ± 0.31', '87.31')
    """
    return percent(value) if half is None else f"{percent(value)} ± {percent(half)}"


def hundred(value: float | None) -> float | None:
    """A fraction in per cent.

    >>> hundred(0.25), hundred(None)
    (25.0, None)
    """
    return None if value is None else 100 * value


def signed(value: float | None, digits: int = 2) -> str:
    """A difference.

    >>> signed(0.4), signed(-0.4), signed(-0.001)
    ('+0.40', '−0.40', '0.00')
    """
    if value is None:
        return MISSING
    if round(value, digits) == 0:
        return f"{0:.{digits}f}"
    return f"{value:+.{digits}f}".replace("-", "−")


def p_value(p: float | None) -> str:
    """A probability in three digits.

    >>> p_value(0.0123), p_value(1e-9), p_value(None)
    ('0.012', '< 0.001', '–')
    """
    return "< 0.001" if p is not None and p < 0.001 else percent(p, 3)


def span(low: float | None, high: float | None) -> str:
    """An interval of differences.

    >>> span(-0.1, 0.3)
    '−0.10 to +0.30'
    """
    return MISSING if low is None or high is None else f"{signed(low)} to {signed(high)}"


def large(value: float | None) -> str:
    """A count with three or four significant digits.

    >>> large(28_589_128), large(4_456_000_000), large(812)
    ('28.6 M', '4.46 G', '812')
    """
    if value is None:
        return MISSING
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if value >= size * 0.9995:
            scaled = value / size
            return f"{scaled:.{max(0, 2 - math.floor(math.log10(scaled)))}f} {unit}"
    return f"{value:.0f}"


def whole(value: float | None) -> str:
    """A whole number with thousands set apart.

    >>> whole(10000)
    '10,000'
    """
    return MISSING if value is None else f"{value:,.0f}"


def duration(seconds: float | None) -> str:
    """A wall time.

    >>> duration(8.25), duration(75), duration(7300)
    ('8.2 s', '75 s', '2.0 h')
    """
    if seconds is None:
        return MISSING
    if seconds < 180:
        return f"{seconds:.1f} s" if seconds < 20 else f"{seconds:.0f} s"
    return f"{seconds / 60:.1f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def native(value: Any) -> Any:
    """A number of numpy's as Python's own; whatever else as it is.

    >>> import numpy as np
    >>> native(np.int64(3)), native(np.float32(0.5)), native(True), native("2")
    (3, 0.5, True, '2')
    """
    if type(value) in (bool, int, float):
        return value
    if isinstance(value, Integral):
        return int(value)
    return float(value) if isinstance(value, Real) else value


def whole_number(name: str, given: object, most: int = LARGEST) -> int:
    """How many, of what there is at least one. No text: `read_count` takes those.

    >>> whole_number("classes", 10)
    10

    Raises:
        InputError: with the name and what was given.
    """
    value = native(given)
    if type(value) is int and 1 <= value <= most:
        return value
    fault = "a whole number"
    if type(value) is int:
        fault = "at least 1" if value < 1 else f"at most {most:,}"
    raise InputError(f"{name} is {in_short(value)}; it must be {fault}")


def in_short(value: object) -> str:
    """A value as a message names it: in one line, and cut short where it is long.

    >>> in_short("x" * 100), in_short([1, None]), in_short(10**5000)
    ("'xxxxxxxxxxxxxxxxxxxxxxxxxxx...xxxxxxxxxxxxxxxxxxxxxxxxxxxx'", '[1, None]', 'a huge number')
    """
    try:
        return " ".join(map(str.strip, _SHORT.repr(value).splitlines()))  # an array has many
    except ValueError:  # Python writes no number of more than 4,300 digits
        return "a huge number" if isinstance(value, int) else f"a {type(value).__name__}"


def listed(items: Sequence[str]) -> str:
    """Items in a sentence.

    >>> listed(["a", "b", "c"])
    'a, b and c'
    """
    return " and ".join([", ".join(items[:-1]), items[-1]]) if len(items) > 1 else "".join(items)


def composed(name: str) -> str:
    """A name as all ways to write it have it: a Mac stores letters and their accents apart.

    >>> composed("cafe\u0301") == "caf\u00e9"
    True
    """
    return unicodedata.normalize("NFC", name)


def plural(number: int, noun: str) -> str:
    """A number with its noun.

    >>> plural(1, "run"), plural(12, "run")
    ('1 run', '12 runs')
    """
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def tidy(value: object) -> object:
    """A value for a file: floats rounded so that equal records give equal bytes."""
    return round(value, _TIDY) if isinstance(value, float) else value


def hours_and_minutes(seconds: float) -> str:
    """A time for people.

    >>> hours_and_minutes(59), hours_and_minutes(75), hours_and_minutes(7380)
    ('59 s', '1 min 15 s', '2 h 03 min')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} min"


def shown(text: str, keep: str = "") -> str:
    """A text as a terminal may have it: what would steer it, or turn the order of what follows, is
    an escape. Names of files and classes may hold anything.

    >>> shown("a\\x1b[2Jb"), shown("a\\nb", keep="\\n")
    ('a\\\\x1b[2Jb', 'a\\nb')
    """
    return _STEERING.sub(lambda found: found[0] if found[0] in keep else _escape(found[0]), text)


# Control characters, ends of lines, what turns the order of writing, halves of surrogates.
_STEERING = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def _escape(character: str) -> str:
    code = ord(character)
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"


def one_line(text: str) -> str:
    """A text in one line, as a terminal may have it; words that fill it are cut.

    >>> one_line("not\\nhere")
    'not⏎here'
    """
    joined = "⏎".join(text.splitlines())
    return shown(_ENDLESS.sub(lambda found: f"{found[0][:_LONGEST]}…", joined))


_LONGEST = 500  # of a word; names of files have at most 255 characters
_ENDLESS = re.compile(rf"\S{{{_LONGEST + 1},}}")
