"""Numbers as a reader wants them: few digits, units, and a real minus sign."""

import math

MISSING = "–"
_TIDY = 6  # digits kept in files: below this, sums differ from machine to machine


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


def listed(items: list[str]) -> str:
    """Items in a sentence.

    >>> listed(["a", "b", "c"])
    'a, b and c'
    """
    return " and ".join([", ".join(items[:-1]), items[-1]]) if len(items) > 1 else "".join(items)


def plural(number: int, noun: str) -> str:
    """A number with its noun.

    >>> plural(1, "run"), plural(12, "run")
    ('1 run', '12 runs')
    """
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def tidy(value: object) -> object:
    """A value for a file: floats rounded so that equal records give equal bytes."""
    return round(value, _TIDY) if isinstance(value, float) else value
