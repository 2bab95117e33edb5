"""A tuned study from the command line: two files, one command, and what stands on the page."""

import json
from pathlib import Path

import pytest

from nextify.cli.main import main
from nextify.records import Store

from .conftest import make_images

FACTORS = ("--factors", "patchify stem, BN to LN", "--experiment", "full")
STUDY = ("study", "small", "--data", "pets", "--image-size", "28", "epochs=1", "batch_size=8",
         "--no-pilot", "--workers", "1", "--seeds", "1", "--end-seeds", "0", *FACTORS)  # fmt: skip


@pytest.fixture
def pets(own_folder: Path) -> None:
    make_images(own_folder / "pets", {"cat": 15, "dog": 15})


def test_rates_are_chosen_on_held_out_images_and_judged_afresh(pets, capsys):
    tuned = (*STUDY, "--tune-rate", "0.5,1", "--images", "16", "--cross", "none")
    assert main([*tuned, "--plan", "--json"]) == 0
    assert not list(Path().glob("runs/*.study"))
    assert main([*tuned, "--json"]) == 0
    file = Path("runs/small-pets-factors-tuned.study")
    with Store.open(file, create=False) as store:
        plan, records = store.plan(), store.records()
    with Store.open("runs/small-pets-factors-tuned-tuning.study", create=False) as store:
        tuning, first = store.plan(), store.records()
    assert (len(first), len(records)) == (8, 4)
    assert tuning.held_out and not plan.held_out
    assert tuning.data["test"] < tuning.data["train"] < plan.data["train"]
    assert {r.seed for r in first} == {0} and {r.seed for r in records} == {1}
    assert plan.tuned == (0.5, 1.0)
    assert len({r.run["data"]["draw_seed"] for r in records}) == 4
    report = json.loads(Path("runs/small-pets-factors-tuned-report/report.json").read_text())
    rates = report["studies"][0]["rates"]
    assert set(rates) == {c.name for c in plan.cells} and set(rates.values()) <= {0.5, 1.0}
    assert "Each cell is at its best" in report["studies"][0]["meaning"]["Learning rate"]
    capsys.readouterr()
    assert main([*STUDY, "--file", str(file)]) == 2
    assert "--tune-rate is" in capsys.readouterr().err


def test_what_does_not_go_together(pets, capsys):
    for more, fault in (
        (("--tune-rate", "1,2", "--rates", "1,2"), "--tune-rate does not go with --rates"),
        (("--tune-rate", "1,2", "--cross", "rate"), "--tune-rate does not go with --cross rate"),
        (("--tune-rate", "1,2", "--hold-out"), "--tune-rate does not go with --hold-out"),
        (("--tune-rate", "1"), "give two multiples at least"),
        (("--tune-rate", "1,x"), "give numbers"),
        (("--tune-rate", "1,1"), "give different multiples"),
        (("--rates", "1,2", "--cross", "rate"), "--rates and --cross rate"),
        (("--cross", "initialisation", "weight_init=he_normal"), "both say how weights"),
        (("--sigma", "0.4,5"), "--sigma is '0.4,5'"),
        (("--cross", "depth"), "--cross has 'depth'"),
        (("--images", "24"), "give one number from 2 (one of each class) and below the 24"),
        (("--images", "0/5"), "one of each class"),
        (("--images", "1/2,1/4"), "give one number from"),
    ):
        assert main([*STUDY, *more]) == 2
        error = capsys.readouterr().err
        assert fault in error.splitlines()[-1] and "Traceback" not in error
