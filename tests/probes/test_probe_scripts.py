"""The scripts behind docs/probes.md run with the code of today."""

import json
import runpy
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[2] / "scripts"


def printed(name: str, options: list[str], monkeypatch, capsys) -> dict:
    monkeypatch.setattr(sys, "argv", [name, *options])
    runpy.run_path(str(SCRIPTS / f"{name}.py"), run_name="__main__")
    return json.loads(capsys.readouterr().out.splitlines()[-1])


def test_the_bias_of_cka_is_what_the_script_says(tmp_path, monkeypatch, capsys) -> None:
    figure = tmp_path / "bias.png"
    found = printed("cka_bias", ["--pairs", "1", "--figure", str(figure)], monkeypatch, capsys)
    assert len(found["rows"]) == 16 and figure.stat().st_size
    for row in found["rows"]:
        assert row["biased"] == pytest.approx(row["expected"], abs=0.05)
        assert abs(row["unbiased"]) < 0.1


@pytest.mark.slow
def test_layers_are_found_in_another_network(monkeypatch, capsys) -> None:
    found = printed("layer_identification", ["--seeds", "3"], monkeypatch, capsys)
    assert found["found"] > 0.5  # chance: an eighth
    assert found["within one"] > 0.9
