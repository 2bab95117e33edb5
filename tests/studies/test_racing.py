"""The race: what is planned, who leaves it, what is answered, and that it goes on."""

import hashlib
import json
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from known_truth import DATA, Truth, small_task

from nextify.costs.spread import Spread
from nextify.designs import Initial, design, recipe
from nextify.errors import InputError
from nextify.findings.race import departures
from nextify.records import Cell, Measured, Plan, Record, Result, Store
from nextify.report.choice.files import write_choice
from nextify.report.choice.words import answer, as_values
from nextify.requests import Choose, made, read
from nextify.studies import Summary, plan_finals, plan_screening
from nextify.studies.kinds.comparison import Network
from nextify.studies.kinds.kind import Stacks
from nextify.studies.kinds.latency import Latency
from nextify.studies.kinds.racing import (
    Race,
    beyond,
    carry_out_race,
    phases_of,
    plan_rates,
    race_of,
    race_settings,
    tuned,
    without_slow,
)

WEIGHTS = Initial(source="runs/mine", fingerprint="ab" * 32, mean=(0.5,), std=(0.2,))
HELD = {**DATA, "train": 800, "test": 400, "classes": 10}
FINALS = {**DATA, "test": 1000}


def race(names: str = "abc", **changes: object) -> Race:
    """Candidates of one letter; the first starts from weights. The later, the wider."""
    networks = tuple(
        Network(
            name=name,
            design=design("convnext-mini", widths=(8 * at, 16 * at, 32 * at)),
            recipe_name="modern-small",
            recipe=recipe("modern-small", epochs=2, batch_size=20),
            initial=WEIGHTS if name == "a" else None,
        )
        for at, name in enumerate(names, 1)
    )
    shared = {"data": HELD, "data_source": "Nothing.", "precision": "float32",
              "largest_class": 0.1}  # fmt: skip
    request = made(Choose, {"candidates": ",".join(names), **changes})
    return Race(networks=networks, shared=shared, data=FINALS, largest_class=0.1, request=request)


@dataclass
class World:
    """Accuracies by design, and what runs there were.

    Attributes:
        best: of each candidate at its best rate on all images. rates: where that is.
        lost: candidates and seeds that diverge.
    """

    best: dict[str, float]
    rates: dict[str, float] = field(default_factory=dict)
    lost: tuple[tuple[str, int], ...] = ()
    trained: int = 0

    def accuracy(self, name: str, rate: float, images: int) -> float:
        off = abs(np.log10(rate / self.rates.get(name, 1.0)))
        return self.best[name] - 0.05 * off - 0.04 * np.log2(1000 / images)

    def record(self, plan: Plan, cell: Cell, seed: int) -> Record:
        run, name, images = plan.run(cell, seed), cell.network[0], 400 if plan.held_out else 1000
        rng = np.random.default_rng(int(hashlib.sha256(run.key.encode()).hexdigest()[:8], 16))
        share = self.accuracy(name, cell.rate, plan.images_of(cell)) + 0.004 * rng.normal()
        right = np.random.default_rng([images, ord(name)]).random(images) < share
        result = Result(
            accuracy=float(right.mean()), nll=1.0, calibration_error=0.0, images=images,
            correct=np.packbits(right).tobytes(), steps=20,
        )  # fmt: skip
        took = Measured(seconds=1.0, evaluation_seconds=0.0, images_per_second=1.0, peak_memory=1)
        found = Record(key=run.key, run=run.as_dict(), outcome="finished", result=result,
                       measured=took)  # fmt: skip
        if (name, seed) in self.lost:
            return replace(found, outcome="diverged", result=None, message="nan")
        return found

    def __call__(self, plan: Plan, file: Path) -> Summary:
        with Store.open(file) as store:
            store.save_plan(plan)
            there = {record.key for record in store.records()}
            for cell, seed in plan.places():
                if plan.run(cell, seed).key not in there:
                    self.trained += 1
                    store.add(self.record(plan, cell, seed))
        return Summary(planned=0, recorded=0, finished=0, diverged=0, failed=0, elsewhere=0,
                       seconds=0.0)  # fmt: skip


CLEAR = World({"a": 0.85, "b": 0.84, "c": 0.40})


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("race")
    return folder, carry_out_race(race(), folder, replace(CLEAR, trained=0))


def test_the_one_far_behind_leaves_and_fresh_seeds_judge_the_others(finished):
    folder, outcome = finished
    choice = outcome.choice
    assert [each.left for each in choice.race] == [None, None, 200]
    assert [each.name for each in choice.finalists] == ["a", "b"]
    assert {each.name for each in folder.glob("*.study")} == {
        "rates.study", "race.study", "finals.study",
    }  # fmt: skip
    rates, laps, finals = (outcome.studies[name][0] for name in ("rates", "race", "finals"))
    assert not {*rates.seeds, *laps.seeds} & {*finals.seeds} and len(finals.seeds) == 5
    assert [cell.images for cell in laps.cells] == [100] * 3 + [200] * 3  # over with two left
    assert rates.held_out and laps.held_out and not finals.held_out
    assert finals.data["train"] == 1000 and all(cell.images is None for cell in finals.cells)
    assert finals.cells[0].initial == WEIGHTS and finals.cells[1].initial is None
    assert len({(c.draws, s) for c in laps.cells for s in laps.seeds}) == 2  # paired draws


def test_the_answer_names_the_gap_the_cheapest_and_who_left(finished):
    choice = finished[1].choice
    told = " ".join(answer(choice))
    assert f"Recommended: {choice.winner}" in told and "points ahead of" in told
    assert "c after 200 images" in told and "from the weights runs/mine" in told
    best = choice.finalist("a")
    assert best.behind_wide.low <= choice.finalist("a").mean - choice.finalist("b").mean
    values = as_values(choice)
    assert json.dumps(values) and "latency" not in values["finalists"][0]


def test_it_goes_on_and_a_finished_one_trains_nothing(finished, tmp_path):
    folder, outcome = finished
    again = replace(CLEAR, trained=0)
    assert carry_out_race(race(), folder, again).choice == outcome.choice and again.trained == 0

    def stops(plan: Plan, file: Path) -> Summary:
        if file.name == "finals.study":
            raise KeyboardInterrupt
        return again(plan, file)

    with pytest.raises(KeyboardInterrupt):
        carry_out_race(race(), tmp_path, stops)
    before = again.trained
    assert carry_out_race(race(), tmp_path, again).choice == outcome.choice
    assert again.trained == before + 2 * 5


def test_rates_are_chosen_and_the_grid_grows_where_its_end_is_the_best(tmp_path):
    world = World({"a": 0.8, "b": 0.8, "c": 0.8}, {"a": 1.0, "b": 10.0, "c": 0.3})
    outcome = carry_out_race(race(), tmp_path, world)
    a, b, c = outcome.choice.race
    assert (a.rate, b.rate, c.rate) == (1.0, 10.0, 0.3)
    assert [sorted(each.rates) for each in (a, b, c)] == [
        [0.3, 1.0, 3.0], [0.3, 1.0, 3.0, 10.0], [0.1, 0.3, 1.0, 3.0],
    ]  # fmt: skip
    assert b.at_the_edge and not c.at_the_edge
    assert "learning rate of b is the highest" in " ".join(as_values(outcome.choice)["notes"])
    plan, records = outcome.studies["rates"]
    first = plan_rates(race())
    assert tuned(race(), (first, records)) == {"a": 1.0, "b": 3.0, "c": 0.3}
    assert beyond(race(), (first, records)) == {"b": 10.0, "c": 0.1}
    assert len(plan.cells) == 11


def test_of_many_the_best_go_to_the_finals_and_the_cheapest_with_them(tmp_path):
    names = "abcdef"
    world = World({name: 0.8 + 0.001 * at for at, name in enumerate(names)})
    choice = carry_out_race(race(names, finalists=3), tmp_path, world).choice
    assert {each.name for each in choice.finalists} >= {"a"} and len(choice.finalists) == 3
    assert max(each for each in choice.race[0].laps) == 400  # all laps were run
    told = " ".join(answer(choice))
    assert "Not in the finals" in told and "cheapest in MACs" in told


def test_latencies_make_the_cheapest():
    took = {name: Spread(at, at, at, 9) for at, name in zip((0.03, 0.01, 0.02), "abc", strict=True)}
    slow = race(latency="20ms")
    kept = without_slow(slow, took, 0.02)
    assert [each.name for each in kept.networks] == ["b", "c"] and kept.latencies[
        "c"
    ].median == 0.02
    with pytest.raises(InputError, match="the fastest candidate takes 10 ms"):
        without_slow(slow, took, 0.001)


def test_the_cheapest_is_that_of_the_lowest_latency(tmp_path):
    took = {"a": Spread(0.02, 0.02, 0.02, 9), "b": Spread(0.01, 0.009, 0.02, 9)}
    both = replace(race("ab"), latencies=took)
    outcome = carry_out_race(both, tmp_path, World({"a": 0.8, "b": 0.8}))
    assert outcome.choice.cheapest == "b" and outcome.choice.cheapest_in == "latency"
    page = write_choice(outcome.choice, outcome.studies, race_settings(both), tmp_path / "page")
    text = page.html.read_text()
    assert "10 ms" in text and "The race" in text and "triangle" not in text
    assert (tmp_path / "page" / "accuracy.svg").exists()


@pytest.mark.parametrize(("images", "laps"), [(800, 2), (80, 1)])
def test_the_page_says_how_candidates_leave_where_there_are_laps_to(tmp_path, images, laps):
    """On few images all of them learn little: that is said of the finals alone."""
    few = race("ab")
    few = replace(few, shared={**few.shared, "data": {**HELD, "train": images}})
    outcome = carry_out_race(few, tmp_path, World({"a": 0.8, "b": 0.1}))
    text = write_choice(outcome.choice, outcome.studies, {}, tmp_path / "page").html.read_text()
    assert len(outcome.choice.race[0].laps) == laps
    for said in ("A line ends where its candidate left", "That a curve goes on", "carried on to"):
        assert (said in text) == (laps > 1)
    assert ("on the only lap that these few images allow" in text) == (laps == 1)
    assert text.count("learned nothing. They answer one class only") == 1


def test_one_of_which_a_run_diverges_leaves_unless_all_do(tmp_path):
    world = World({"a": 0.8, "b": 0.8, "c": 0.8}, lost=(("b", 1),))
    outcome = carry_out_race(race(), tmp_path, world)
    assert [each.left for each in outcome.choice.race] == [None, 100, None]
    plan, records = outcome.studies["race"]
    plan = replace(plan, cells=plan.cells[:3])  # the first lap
    gone = [replace(each, outcome="diverged", result=None) for each in records]
    assert set(departures(plan, gone, 1000).values()) == {None}


def test_what_it_takes_at_most():
    every = phases_of(race(), None, 2, 2000)
    assert [(each.name, each.networks, each.runs) for each in every] == [
        ("rates", 3, 9), ("race", 3, 12), ("finals", 3, 15), ("winner", 1, 1),
    ]  # fmt: skip
    assert phases_of(race("abcdef"), None, 2, 2000)[1].runs == 6 * 3 * 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("resnet-small --params 1M", "--params, --macs"),
        ("resnet-small --path small", "--path"),
        ("resnet-small --seeds 3", "--seeds"),
        ("resnet-small convnext-mini", "write --from resnet-small,convnext-mini$"),
        ("resnet-small,epochs=3", "--from has 'epochs=3'.* as --from a,b epochs=20$"),
        ("resnet-small,", "give names or files"),
        ("resnet-small,vit-mini,resnet-small", "network 'resnet-small' is given twice"),
    ],
)
def test_what_is_not_of_candidates_is_refused(words, said):
    with pytest.raises(InputError, match=said):
        asked_for(words)


def test_candidates_take_recipes_in_their_list_and_fields_behind_it():
    found = asked_for("resnet-small,recipe=modern,vit-mini epochs=3").networks
    assert [(each.recipe_name, each.recipe.epochs) for each in found] == [
        ("modern", 3), ("modern-small", 3),
    ]  # fmt: skip


def asked_for(words: str) -> Race:
    class Images:
        classes = ("x",)

        def identity(self):
            return HELD

    class Asked:
        images, stacks, there = Images(), Stacks(), None
        shared = {"data": HELD}  # noqa: RUF012
        request = read(["choose", "--from", *words.split()]).request

    return race_of(Asked(), FINALS, None)


def test_finalists_of_a_screening_keep_the_latency(tmp_path):
    """Those over it leave, the next best come; what was measured is kept."""
    task = small_task(factors=3, seeds=1, reshaped=0, finalists=2, latency="10ms")
    screening = plan_screening(task)
    slow = Spread(0.02, 0.02, 0.02, 9)
    known = {f"{a}{b}{c}": slow for a in "-+" for b in "-+" for c in "-+"}
    quick = {name: Spread(0.005, 0.004, 0.006, 9) for name in known if name[0] == "-"}
    records = Truth(tuple(0.5 + 0.05 * at for at in range(8)), factors=task.frame.factors,
                    sd=0.001).records(screening)  # fmt: skip
    latency = Latency(allowed=0.01, size=task.frame.size, known={**known, **quick})
    finals = plan_finals(replace(task, latency=latency), screening, records)
    assert len(finals.cells) >= 2 and all(cell.name[0] == "-" for cell in finals.cells)
    assert any(cell.name[0] == "+" for cell in plan_finals(task, screening, records).cells)


def test_where_all_that_keep_the_latency_diverged_no_finals_are_planned():
    task = small_task(factors=3, experiment="full", latency="10ms")
    known = {f"{a}{b}{c}": Spread(0.02, 0.02, 0.02, 9) for a in "-+" for b in "-+" for c in "-+"}
    known["-+-"] = Spread(0.005, 0.004, 0.006, 9)
    task = replace(task, latency=Latency(allowed=0.01, size=task.frame.size, known=known))
    screening = plan_screening(task)
    truth = Truth((0.5,) * 8, factors=task.frame.factors, diverging={2: None})
    with pytest.raises(InputError, match="is slower than --latency 10ms or had a run in the"):
        plan_finals(task, screening, truth.records(screening))


def test_latencies_are_measured_once_and_kept(tmp_path, monkeypatch):
    calls = []

    def measured(designs, image_size, classes, threads):
        calls.append((len(designs), threads))
        return (Spread(0.004, 0.003, 0.02, 9),) * len(designs)

    monkeypatch.setitem(sys.modules, "nextify.measuring", SimpleNamespace(measure_latency=measured))
    told = []
    of = {"allowed": 0.01, "size": {"image_size": 28, "classes": 10},
          "file": tmp_path / "latency.json"}  # fmt: skip
    for _ in range(2):
        latency = Latency(on_measured=lambda name, took: told.append(name), **of)
        latency.measure({"x": design("convnext-mini"), "y": design("convnext-mini")})
        assert latency.keeps("x", design("convnext-mini"))
    assert (
        calls == [(1, 1)]
        and told == ["x", "y"]
        and not replace(latency, allowed=0.001).keeps("x", None)
    )


def test_one_that_has_not_begun_to_learn_stays(tmp_path):
    """At chance on both laps, as others are far ahead: what it will be, nobody knows."""
    world = World({"a": 0.85, "b": 0.84, "c": 0.22})  # 10 classes: 0.1, of the last lap
    outcome = carry_out_race(race(), tmp_path, world)
    laps, records = outcome.studies["race"]
    assert world.accuracy("c", 1.0, 200) < 0.14
    assert outcome.choice.race[2].left is None
    assert departures(replace(laps, largest_class=0.01), records, 1000)["c"] == 200
