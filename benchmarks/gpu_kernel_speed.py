"""The kernels of gpu_kernels.py as rows of gpu.py's table: ours beside torch's fastest."""

import json
from collections.abc import Iterator
from itertools import groupby
from typing import Any

from gpu_rows import Given, NotThere, Row, row

TORCHS = ("cudnn", "native", "torch")
CANDIDATE = "rows"  # so the names begin of what gpu_several_rows.py has, which is not used yet


def measure_speeds(given: Given) -> Iterator[Row]:
    """Ratios of times, by operator and shape; everything measured is in kernels.json."""
    if given.device == "cpu":
        raise NotThere("no kernel is used on a CPU")
    from gpu_kernels import TOLERANCE, measure_kernels

    found = measure_kernels(given.left)
    (given.output / "kernels.json").write_text(json.dumps(found))
    yield row("copying on the card", "GB/s", found["copy_gb_s"])
    wrong = [f"{one['how']} {one['what']} {one['shape']}" for one in found["rows"]
             if "failure" in one or (one["error"] or 0) > TOLERANCE]  # fmt: skip
    yield row("kernels that fail or are not accurate", "", len(wrong), at_most=0,
              about="; ".join(wrong[:5]))  # fmt: skip
    for (what, shape), ways in groupby(found["rows"], lambda one: (one["what"], one["shape"])):
        yield from beside_torchs(f"{what} {shape}", [one for one in ways if "us" in one])


def beside_torchs(name: str, ways: list[dict[str, Any]]) -> Iterator[Row]:
    """The fastest of ours over the fastest of theirs, and of candidates over that of ours, where
    there is one of each."""
    theirs = [one for one in ways if one["how"] in TORCHS]
    might = [one for one in ways if one["how"].startswith(CANDIDATE)]
    ours = [one for one in ways if one not in theirs and one not in might]
    for what, some, others in (
        ("ours over torch's", ours, theirs),
        ("candidate over ours", might, ours),
    ):
        if some and others:
            best, other = (min(each, key=lambda one: one["us"]) for each in (some, others))
            yield row(
                f"{name}: {what}",
                "times",
                other["us"] / best["us"],
                about=f"{best['how']}: {best['us']} us; {other['how']}: {other['us']} us",
            )
