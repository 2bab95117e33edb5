"""What "Attention Is All You Need" says of a mixer, beside our law, for people and as JSON."""

from collections.abc import Collection
from dataclasses import asdict
from textwrap import wrap

import sympy as sp

from nextify.cli.show import print_table, say
from nextify.scaling.laws import law, mixer
from nextify.scaling.laws.formulas import B, N, P
from nextify.scaling.laws.paper import PAPER, far_path

_WIDTH = 98
_HEAD = ("mixer", "complexity", "MACs", "sequential", "ours", "path", "ours")


def textbook(expression: sp.Expr) -> str:
    """An expression as a textbook has it: 4 B D^2 N."""
    return str(expression).replace("**", "^").replace("*", " ")


def print_paper(chosen: Collection[str]) -> None:
    """The rows of the paper's Table 1 that there are for these mixers, and why ours differ."""
    names = [name for name in PAPER if name in chosen]
    if not names:
        return
    say('\nTable 1 of "Attention Is All You Need" (complexity, sequential, path) beside ours, one')
    say("sequence, without padding; its r is w. Numbers are left out there.\n")
    print_table(list(_HEAD), [_row(name) for name in names])
    say("")
    for name in names:
        for line in wrap(f"{name} ({PAPER[name].layer}): {PAPER[name].differs}.", _WIDTH):
            say(line)


def _row(name: str) -> list[str]:
    paper, found = PAPER[name], law(mixer(name))
    macs = found.macs.subs({B: 1, P: N})
    sequential, path = (paper.sequential, found.sequential), (paper.path, far_path(name))
    return [name, *map(textbook, (paper.macs, macs, *sequential, *path))]


def paper_values(name: str) -> dict[str, str] | None:
    """The paper's row; None where it has none."""
    row = PAPER.get(name)
    return None if row is None else {key: str(value) for key, value in asdict(row).items()}
