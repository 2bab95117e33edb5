"""The simulations behind docs/attribution.md run with the code of today."""

import runpy
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[2] / "scripts"


@pytest.mark.parametrize(
    ("name", "count", "rows"),
    [
        ("looks", "--studies", 13),
        ("suits_one_side", "--studies", 11),
        pytest.param("divergence", "--studies", 7, marks=pytest.mark.slow),
        ("meaning_coverage", "--studies", 6),
        ("race_coverage", "--cases", 28),
    ],
)
def test_a_simulation_prints_its_tables(name, count, rows, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", [name, count, "2"])
    runpy.run_path(str(SCRIPTS / f"{name}.py"), run_name="__main__")
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("|")]
    heads = sum(line.startswith("|---") for line in lines)
    assert len(lines) - 2 * heads == rows
