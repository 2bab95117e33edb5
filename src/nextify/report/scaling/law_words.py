"""Laws of mixers, and Table 1 of "Attention Is All You Need" beside ours."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from textwrap import wrap
from typing import Any

import sympy as sp

from nextify.report.scaling.blocks import Block, Table
from nextify.scaling.laws.formulas import B, Law, N, P, law
from nextify.scaling.laws.mixers import Mixer, mixer
from nextify.scaling.laws.paper import PAPER, far_path

_WIDTH = 98
_COST = ("macs", "leading", "sequential", "path_leading", "parameters")
_MEMORY = ("inference", "kept")
_LEGEND = """
B sequences of N tokens of width D; P tokens with those that pad windows: w ceil(N / w), or
w^2 ceil(R / w) ceil(C / w) in the plane of R x C = N tokens; h heads, w window, k kernel, r
ratio. steps: products that wait for one another. path: layers between the two tokens that
are farthest apart (oo: they never meet). in use: alive at once in a forward pass. kept: what
the backward pass needs, weights left out."""


def laws_in_words(chosen: Mapping[str, Mixer]) -> Iterator[Block]:
    """The laws alone, for people."""
    laws = {name: law(one) for name, one in chosen.items()}

    def rows(fields: tuple[str, ...]) -> list[list[str]]:
        return [[n, *(_textbook(getattr(one, f)) for f in fields)] for n, one in laws.items()]

    yield Table(["mixer", "MACs", "leading", "steps", "path", "weights"], rows(_COST))
    yield ""
    yield Table(["mixer", "values in use", "values kept"], rows(_MEMORY))
    yield _LEGEND
    names = [name for name in PAPER if name in chosen]
    if not names:
        return
    yield '\nTable 1 of "Attention Is All You Need" (complexity, sequential, path) beside ours, one'
    yield "sequence, without padding; its r is w. Numbers are left out there.\n"
    head = ["mixer", "complexity", "MACs", "sequential", "ours", "path", "ours"]
    yield Table(head, [_paper_row(name) for name in names])
    yield ""
    for name in names:
        yield from wrap(f"{name} ({PAPER[name].layer}): {PAPER[name].differs}.", _WIDTH)


def _paper_row(name: str) -> list[str]:
    paper, found = PAPER[name], law(mixer(name))
    macs = found.macs.subs({B: 1, P: N})
    cells = (paper.macs, macs, paper.sequential, found.sequential, paper.path, far_path(name))
    return [name, *map(_textbook, cells)]


def _textbook(expression: sp.Expr) -> str:
    """An expression as a textbook has it: 4 B D^2 N."""
    return str(expression).replace("**", "^").replace("*", " ")


def laws_as_values(chosen: Mapping[str, Mixer]) -> dict[str, Any]:
    """The laws alone, for JSON."""
    return {name: {**law_values(law(one)), "paper": _paper(name)} for name, one in chosen.items()}


def law_values(found: Law) -> dict[str, str]:
    """A law's expressions as text."""
    names = ("macs", "leading", "parameters", *_MEMORY, "sequential", "path_leading", "padded")
    return {name: str(getattr(found, name)) for name in names}


def _paper(name: str) -> dict[str, str] | None:
    """The paper's row; None where it has none."""
    row = PAPER.get(name)
    return None if row is None else {key: str(value) for key, value in asdict(row).items()}
