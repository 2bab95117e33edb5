"""`nextify scale sequence`: what it prints, keeps, draws and refuses."""

import json
import math

import pytest
from scipy import stats

from nextify.cli.main import main
from nextify.errors import InputError
from nextify.report.scaling.sequence_figure import sequence_figure
from nextify.scaling.saving import keeping
from nextify.scaling.sequence import experiment
from nextify.scaling.sequence.results import (
    BASELINE,
    Counts,
    Found,
    Outcome,
    StepTime,
    kept,
    mean,
)
from nextify.scaling.sequence.settings import KINDS, Settings

SETTINGS = Settings(epochs=1)


def outcome(kind, seed: int, perplexity: float) -> Outcome:
    return Outcome(
        kind=kind, seed=seed, perplexity=perplexity, parameters=1000, best_epoch=1,
        curve=(perplexity,), said=("oh dear !",) * 3,
    )  # fmt: skip


def outcomes(count: int = 3) -> list[Outcome]:
    return [
        outcome(kind, seed, value + 3 * seed)
        for seed in range(count)
        for kind, value in zip(KINDS, (40.0, 44.0), strict=True)
    ]


def found() -> Found:
    counts = tuple(
        Counts(seed=s, words=800, train=9, validation=1, test=1, unknown=0.1,
               perplexities=(140.0, 80.0 + s, 50.0 + s))
        for s in range(3)
    )  # fmt: skip
    steps = tuple(
        StepTime(kind=kind, tokens=tokens, batch=4, macs=tokens, chain=13, seconds=slow * tokens,
                 fastest=0.9 * slow * tokens, slowest=1.2 * slow * tokens, rounds=5)
        for tokens in (16, 32, 64)
        for kind, slow in zip(KINDS, (1e-3, 3e-3), strict=True)
    )  # fmt: skip
    return Found(SETTINGS, counts, tuple(outcomes()), steps, 1)


def test_means_are_of_logarithms_with_students_interval():
    values = [41.0, 47.0, 55.0, 39.0]
    logs = [math.log(value) for value in values]
    low, high = stats.t.interval(0.95, 3, sum(logs) / 4, stats.sem(logs))
    result = mean(values)
    assert (result.value, result.n) == (pytest.approx(stats.gmean(values)), 4)
    assert (result.low, result.high) == pytest.approx((math.exp(low), math.exp(high)))


def test_models_are_compared_seed_by_seed():
    ratios = found().ratios()
    assert ratios[BASELINE].value == ratios[BASELINE].low == 1
    expected = mean([40 / 50, 43 / 51, 46 / 52])
    assert ratios["transformer"].low == pytest.approx(expected.low)
    assert found().between().value == pytest.approx(mean([40 / 44, 43 / 47, 46 / 50]).value)


def test_the_figure_says_what_it_shows():
    drawing = sequence_figure(found())
    assert drawing.name == "sequence" and drawing.svg.startswith("<?xml")
    assert "recurrent 192.0 ms" in drawing.description
    assert "unigram 140.0" in drawing.description


def test_what_is_saved_is_read_again(tmp_path):
    path = tmp_path / "sequence.json"
    assert kept(path, SETTINGS).results == []
    kept(path, SETTINGS).add(*outcomes())
    assert kept(path, SETTINGS).results == outcomes()
    assert [file.name for file in tmp_path.iterdir()] == ["sequence.json"]
    with pytest.raises(InputError, match=r"other settings .* --save"):
        kept(path, Settings(epochs=2))


@pytest.mark.parametrize("content", ["", "[]", '{"outcomes": [{"kind": 1}]}', "\x00", "\xff"])
def test_a_file_of_something_else_is_refused(tmp_path, content):
    path = tmp_path / "sequence.json"
    path.write_text(content, encoding="latin-1")
    with pytest.raises(InputError, match="name another with --save"):
        kept(path, SETTINGS)


def test_the_command_goes_on_from_its_file_and_draws(tmp_path, capsys, monkeypatch):
    """Seed 1's recurrent model alone is trained: the others are in the file."""
    monkeypatch.setattr(experiment, "SIZES", (4, 8))
    path = tmp_path / "sequence.json"
    kept(path, SETTINGS).add(*outcomes()[:3])
    line = ["scale", "sequence", "--seeds", "2", "--epochs", "1", "--rounds", "1"]
    line += ["--save", str(path), "--figure", str(tmp_path / "figures")]
    assert main(line) == 0
    out = capsys.readouterr().out
    assert "transformer" in out and "oh dear !" in out and "slower by" in out
    *first, last = kept(path, SETTINGS).results
    assert first == outcomes()[:3]
    assert (last.kind, last.seed) == ("recurrent", 1)
    assert 1 < last.perplexity < 842
    assert (tmp_path / "figures/sequence.png").exists()
    assert main([*line, "--json"]) == 0
    values = json.loads(capsys.readouterr().out)
    assert values["perplexity"]["recurrent"]["n"] == 2
    assert values["models"][3]["perplexity"] == last.perplexity
    assert {step["tokens"] for step in values["steps"]} == {4, 8}


def test_models_go_on_with_given_words(capsys):
    assert main(["scale", "sequence", "--say", "The Queen", "--epochs", "1", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert set(said) == set(KINDS)
    assert all(s.startswith("the queen") for sentences in said.values() for s in sentences)


def test_words_that_are_not_known_are_read_as_unknown(capsys):
    """In one line each; what is shown are the words that were given."""
    line = ["scale", "sequence", "--say", "quantum alise", "--epochs", "1", "--json"]
    assert main(line) == 0
    answer = capsys.readouterr()
    notes = [each for each in answer.err.splitlines() if "<UNK>" in each]
    assert [each.partition(" is none of the ")[0] for each in notes] == ["'quantum'", "'alise'"]
    assert "spelled alike: alice" in notes[1] and max(map(len, notes)) <= 100
    said = json.loads(answer.out)
    assert all(s.startswith("quantum alise") for each in said.values() for s in each)
    assert "<UNK>" not in answer.out


REFUSED = [
    ("--seeds 1", "whole number from 2"),
    ("--epochs 0", "whole number from 1"),
    ("--say 123", "0 words"),
    ("--say alice --rounds 9", "--rounds does nothing with --say"),
    ("--say alice --figure x", "--figure does nothing with --say"),
    ("--save /dev/null/x", "--save"),
    ("--save /tmp", "cannot be read"),
    ("--figure /dev/null/x", "--figure"),
    ("--seed 3", "did you mean '--seeds'"),
]


@pytest.mark.parametrize(("line", "said"), REFUSED, ids=[line for line, _ in REFUSED])
def test_refusals(capsys, line, said):
    assert main(["scale", "sequence", *line.split(" ")]) == 2
    answer = capsys.readouterr()
    last = answer.err.strip().splitlines()[-1]
    assert answer.out == "" and last.startswith("nextify: ") and said in last


def test_two_commands_do_not_keep_results_in_one_file(tmp_path, capsys):
    """Each would write what it has over what the other has found meanwhile."""
    file = tmp_path / "kept.json"
    with keeping(file):
        assert main(["scale", "sequence", "--seeds", "2", "--save", str(file)]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "another process" in said and "--save" in said
    assert not list(tmp_path.iterdir())
