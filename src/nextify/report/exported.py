"""What an export has come to, in words."""

from collections.abc import Mapping
from typing import Any

from nextify.words import listed, plural, seconds_in_words

Values = Mapping[str, Any]


def exported_in_words(found: Values) -> str:
    """Of the values of an export: what was written, how it was checked, what it costs and how fast
    it is."""
    lines = [_agreement(found["agreement"])]
    if found["int8"]:
        lines.append(_rounded(found["int8"]))
    lines += [_speed(each, found["threads"]) for each in found["speed"]]
    return "\n".join([*lines, f"written: {' and '.join(found['files'])}"])


def _agreement(found: Values) -> str:
    sizes = ", ".join(f"{height} x {width}" for height, width in found["sizes"])
    ties = plural(found["ties"], "tie") if found["ties"] else "no ties"
    batches = listed([str(size) for size in found["batches"]])
    return (
        f"checked on {plural(found['images'], 'image')}, in batches of {batches}, of {sizes} "
        f"pixels: logits differ by {found['difference']:.0e} at most, relative to the largest of "
        f"an image; the same best classes ({ties})"
    )


def _rounded(found: Values) -> str:
    lost, low, high = (
        100 * value for value in (found["before"] - found["after"], *found["loss"].values())
    )
    bits = "7 bits for weights, 8 for activations" if found["reduced"] else "8 bits"
    return (
        f"{bits}: accuracy {found['before']:.2%} before, {found['after']:.2%} after on "
        f"{found['images']:,} test images: {lost:.2f} points lost ({low:.2f} to {high:.2f}, 95 %)"
    )


def _speed(found: Values, threads: int) -> str:
    ours, torchs, ratio = (found[name] for name in ("seconds", "torch", "ratio"))
    gain = "" if ratio["low"] > 1 else ": no gain here"
    return (
        f"batch {found['batch_size']}, {plural(threads, 'thread')}: {_time(ours)}, torch "
        f"{_time(torchs)}; {ratio['median']:.2f} times as fast "
        f"({ratio['low']:.2f}–{ratio['high']:.2f}){gain}"
    )


def _time(spread: Values) -> str:
    low, high = (seconds_in_words(spread[name]) for name in ("low", "high"))
    return f"{seconds_in_words(spread['median'])} ({low}–{high})"
