"""Choosing a design: what is planned, what is answered, and how often the answer is right."""

from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from known_truth import DATA, Truth, random_truth, small_task, with_quick_keys
from tiny_study import NoData

from nextify.designs import Factor, path
from nextify.errors import InputError
from nextify.experiments.fractions import SCREEN, fraction
from nextify.findings.choice import Choice, choose
from nextify.findings.confounded import confounded
from nextify.fitting import use_of
from nextify.records import Store
from nextify.report.choice.words import notes, shortened, unseen
from nextify.requests import Choose, changed, made
from nextify.studies import (
    Interrupted,
    Phase,
    Task,
    carry_out,
    execute,
    phases,
    plan_finals,
    plan_screening,
)
from nextify.studies.kinds import Asked
from nextify.studies.kinds.choosing import at_effort, settings_of, task_of
from nextify.studies.kinds.efforts import (
    LESS,
    THOROUGH,
    USUAL,
    efforts,
    settled_effort,
    suited,
)
from nextify.studies.kinds.finalists import possible
from nextify.studies.kinds.kind import Stacks
from nextify.studies.kinds.settle import settled
from nextify.studies.running.pilot import Pilot

RISING = tuple(0.5 + 0.01 * bin(at).count("1") for at in range(32))  # every choice helps


def answer(task: Task, truth: Truth) -> tuple[Choice, dict[str, float]]:
    """The whole procedure, and the true value of each finalist."""
    screening = plan_screening(task)
    seen = truth.records(screening)
    finals = plan_finals(task, screening, seen)
    found = choose((screening, seen), (finals, truth.records(finals)), task.budgets, possible(task))
    return found, {c.name: truth.value(finals.run(c, finals.seeds[0])) for c in finals.cells}


@pytest.mark.parametrize(
    "budgets",
    [{"params": 200_000}, {"macs": 2_000_000}, {"params": 150_000, "macs": 2_000_000},
     {"activation_memory": 200_000}],
)  # fmt: skip
def test_every_cell_keeps_the_budget_and_uses_it_up(budgets):
    task = small_task(budgets=budgets)
    screening = plan_screening(task)
    uses = [use_of(cell.design, task.budgets, **task.frame.size) for cell in screening.cells]
    assert all(0.98 <= max(use.values()) <= 1 for use in uses), uses
    assert screening.matched == (next(iter(budgets)) if set(budgets) <= {"params", "macs"}
                                 and len(budgets) == 1 else "")  # fmt: skip
    assert screening.cells[0].made == () and len(screening.cells[1].made) == 5
    if len(budgets) == 2:
        assert len({max(use, key=use.get) for use in uses}) == 2  # each binds some of them


def test_finals_have_fresh_seeds_and_the_ends_and_another_shape():
    task = small_task(final_seeds=3)
    screening = plan_screening(task)
    finals = plan_finals(task, screening, Truth(RISING, sd=0.001).records(screening))
    assert not set(finals.all_seeds) & set(screening.all_seeds) and len(finals.seeds) == 3
    made = [cell.made for cell in finals.cells]
    assert made[0] == () and len(made[1]) == 5 and made[-1] is None
    assert finals.cells[-1].design.depths != finals.cells[1].design.depths
    assert finals.cells[-1].name == "+++++ reshaped"  # of the one predicted best
    assert len({(cell.design, cell.recipe) for cell in finals.cells}) == len(finals.cells)
    assert all(
        max(use_of(cell.design, task.budgets, **task.frame.size).values()) <= 1
        for cell in finals.cells
    )


def test_finals_on_a_gpu_are_whole_stacks():
    """They begin with a seed that does; on a CPU, at the next one."""
    task = small_task()
    task = replace(task, frame=replace(task.frame, stacks=Stacks(8)))
    screening = plan_screening(task)
    finals = plan_finals(task, screening, Truth(RISING, sd=0.001).records(screening))
    assert screening.copies == len(screening.seeds)
    count = len(finals.seeds)
    assert finals.copies == count > 1 and finals.seeds[0] % count == 0


def test_the_clear_best_is_chosen_and_told_apart():
    truth = Truth(RISING, sd=0.001, shape=-0.1)
    found, true = answer(small_task(), truth)
    assert found.winner == "+++++" and found.runners_up == () and found.margin == 0
    best = found.finalist("+++++")
    assert best.interval.low < 0.55 < best.interval.high and best.finished == 5
    assert best.predicted == pytest.approx(0.55, abs=0.003)
    assert found.finalist("-----").standing == "worse" and true["-----"] == 0.5
    assert found.cheapest == "+++++" and found.margin_all < 0.003


def test_what_cannot_be_told_apart_is_named_with_the_cheapest():
    found, _ = answer(small_task(), Truth((0.7,) * 32, sd=0.01))
    same = {found.winner, *found.runners_up}
    assert len(same) >= 3 and found.cheapest in same
    assert found.finalist(found.cheapest).macs == min(found.finalist(n).macs for n in same)
    assert found.cheapest_in == "macs"


@pytest.mark.parametrize("shape", [-0.1, 0.02])
def test_a_margin_to_all_does_not_follow_how_hard_the_finals_images_are(shape):
    """Designs that only the screening had are not behind for it, nor is a reshaped one ahead."""
    values, margins = (0.55, *(0.548,) * 31), []
    for finals in (0.0, 0.1, -0.05):
        task = small_task(held_out=True, finalists=2)
        found, _ = answer(task, Truth(values, sd=0.004, shape=shape, finals=finals))
        assert (found.winner == "----- reshaped") == (shape > 0)
        margins.append(found.margin_all)
    assert max(margins) - min(margins) < 1e-4 and (margins[0] > 0.001) == (shape < 0), margins


def test_a_finalist_that_diverges_once_cannot_win():
    seeds = small_task().frame.seeds
    fresh = max(seeds) + 1
    truth = Truth(RISING, sd=0.001, shape=-0.2, diverging={31: (fresh,)})
    found, _ = answer(small_task(), truth)
    lost = found.finalist("+++++")
    assert (lost.standing, lost.diverged, lost.finished) == ("diverged", 1, 4)
    assert (
        found.winner != "+++++"
        and lost.behind is None
        and lost.mean == pytest.approx(0.55, abs=0.01)
    )


def test_unless_all_do():
    fresh = max(small_task().frame.seeds) + 1
    truth = Truth(RISING, sd=0.001, diverging=dict.fromkeys(range(32), (fresh,)))
    found, _ = answer(small_task(reshaped=0), truth)
    assert found.winner == "+++++" and "every finalist diverged" in next(notes(found))


def test_a_subset_that_diverges_in_the_screening_is_no_finalist_but_for_the_ends():
    task = small_task(reshaped=0)
    screening = plan_screening(task)
    inner = screening.cells[2]
    at = sum(1 << i for i, f in enumerate(task.frame.factors) if f.name in inner.made)
    values = [0.5] * 32
    values[at] = 0.9
    truth = Truth(tuple(values), diverging={at: (1,)})
    finals = plan_finals(task, screening, truth.records(screening))
    assert inner.made not in [cell.made for cell in finals.cells]
    without = plan_finals(task, screening, replace(truth, diverging={}).records(screening))
    assert inner.made in [cell.made for cell in without.cells]


def test_all_runs_diverged():
    task = small_task()
    truth = Truth(RISING, diverging=dict.fromkeys(range(32)))
    screening = plan_screening(task)
    assert plan_finals(task, screening, truth.records(screening)) is None
    fine = Truth(RISING)
    finals = plan_finals(task, screening, fine.records(screening))
    found = choose(
        (screening, fine.records(screening)),
        (finals, truth.records(finals)),
        task.budgets,
        possible(task),
    )
    assert found.winner is None and found.cheapest is None and "no run" in next(notes(found))


def test_one_seed_gives_an_answer_without_intervals():
    found, _ = answer(small_task(seeds=1, final_seeds=1), Truth(RISING, sd=0.001))
    assert found.winner is not None and found.margin is None
    assert found.finalist(found.winner).interval is None
    assert any(note.startswith("no intervals") for note in notes(found))


@pytest.mark.parametrize(
    ("budgets", "said"),
    [
        ({"params": 2000}, "none of the screening's 17 networks can be made narrow enough"),
        ({"macs": 110_000}, "only 6 of the screening's 17 networks can be made narrow enough"),
    ],
)
def test_budgets_that_cannot_be_kept(budgets, said):
    with pytest.raises(InputError) as refused:
        plan_screening(small_task(budgets=budgets))
    assert said in str(refused.value)


def test_the_phases_before_the_start():
    task = small_task(finalists=3, final_seeds=4)
    found = phases(task, plan_screening(task), None, 2, 5000)
    assert [(p.name, p.networks, p.runs) for p in found] == [
        ("screening", 17, 34), ("finals", 6, 24), ("winner", 1, 1),
    ]  # fmt: skip


def asked_for(**values: object) -> Choose:
    return made(Choose, {"params": "200k", **values})


def test_a_more_thorough_screening_has_more_networks_of_one_seed_each():
    task = small_task(6)
    more = at_effort(task, THOROUGH)
    here, plan = plan_screening(task), plan_screening(more)
    assert (len(here.cells), here.count, len(plan.cells), plan.count) == (16, 32, 32, 32)
    assert (more.request.experiment, more.request.seeds, len(plan.seeds)) == ("resolution-5", 1, 1)
    assert plan.experiment == "resolution-5"
    both = efforts(asked_for(seeds=2))
    assert [each.seeds for each in both] == [2, 2]
    assert plan_screening(at_effort(task, both[0])).count == 64


def test_efforts_that_are_decided_between():
    assert efforts(asked_for()) == (THOROUGH, USUAL)
    assert efforts(asked_for(experiment="resolution-4")) == (USUAL,)
    least = efforts(asked_for(within="1h"))
    assert least[:2] == (THOROUGH, USUAL) and len(least) == 6
    work = [
        len(plan_screening(at_effort(small_task(6), e)).cells) * e.seeds / e.shorten
        + (e.finalists + e.reshaped + 2 * (e.shorten == 1)) * e.final_seeds
        for e in least
    ]
    assert work == [67, 67, 51, 36, 28, pytest.approx(11.33, abs=0.01)]
    said = efforts(asked_for(within="1h", experiment="resolution-5", final_seeds=5))
    assert {(e.experiment, e.seeds, e.final_seeds) for e in said} == {("resolution-5", 1, 5)}
    race = efforts(asked_for(within="1h", **{"from": "resnet-small,convnext-mini"}))
    assert [(e.finalists, e.final_seeds) for e in race] == [(4, 5), (3, 4), (2, 3)]


@pytest.mark.parametrize(
    ("runs", "seconds", "most", "at"),
    [
        # Without a limit: the first where it is done in three hours, or in no more runs.
        ((40, 30), None, None, 1), ((30, 30), None, None, 0), ((30, 30), (1e6, 1e6), None, 0),
        ((40, 30), (3 * 3600.0 - 1, 1.0), None, 0), ((40, 30), (3 * 3600.0 + 1, 1e6), None, 1),
        # With one, whatever the runs.
        ((40, 30, 20), (300.0, 200.0, 100.0), 250.0, 1),
        ((40, 30, 20), (300.0, 200.0, 100.0), 50.0, None),
        ((40, 30), None, 1e9, None),
    ],
)  # fmt: skip
def test_the_effort_that_the_time_allows(runs, seconds, most, at):
    times = seconds or [None] * len(runs)
    found = [(Phase("finals", 2, r, s),) for r, s in zip(runs, times, strict=True)]
    assert suited(found, most) is at


def test_a_shortened_screening():
    """Its networks take a third of the epochs, the finals all: of the best, wherever they are."""
    task = at_effort(small_task(5), LESS[-1])
    whole, plan = plan_screening(small_task(5)), plan_screening(task)
    epochs = {cell.recipe.epochs for cell in whole.cells}
    assert {cell.recipe.epochs for cell in plan.cells} == {-(-each // 3) for each in epochs}
    assert [cell.design for cell in plan.cells] == [cell.design for cell in whole.cells]
    records = Truth(RISING, sd=0.001).records(plan)
    finals = plan_finals(task, plan, records)
    assert len(finals.cells) == 2 and {cell.recipe.epochs for cell in finals.cells} == epochs
    assert "-----" not in {cell.name for cell in finals.cells}
    study = finals, Truth(RISING, sd=0.001).records(finals)
    found = choose((plan, records), study, task.budgets, possible(task), shorten=3)
    assert found.margin_all is None and found.winner == finals.cells[0].name
    assert shortened(found).startswith("The screening trained for 1/3 of the epochs")
    assert settings_of(task)["--shorten"] == 3 and "--shorten" not in settings_of(small_task(5))
    there = plan.asked_by(settled(task.request, 1_000, 28))  # goes on with the choice's epochs
    assert settled(asked_for(), 1_000, 28, there).changes == there.requests[-1].changes
    names = [cell.name for cell in whole.cells]
    pilot, short = (Pilot(16, dict.fromkeys(names, s), "", "") for s in (12.0, 4.0))
    known, again = phases(task, plan, pilot, 2, 5000), phases(task, plan, short, 2, 5000, 3)
    assert known == again and known[0].seconds == pytest.approx(len(names) * 12.0 / 3 / 2)


def test_what_a_screening_cannot_tell_apart():
    """2^(8-4) of resolution IV: seven sums of four, and seven threes with each factor (Box, Hunter
    and Hunter 2005, chapter 6)."""
    letters = tuple(Factor(name, (name,)) for name in "ABCDEFGH")
    rows = fraction(8, SCREEN).tolist()
    made_of = [tuple(n for n, x in zip("ABCDEFGH", row, strict=True) if x > 0) for row in rows]
    plan = plan_screening(small_task(6))
    cells = tuple(replace(plan.cells[0], made=each, name=str(each)) for each in made_of)
    found = confounded(replace(plan, factors=letters, cells=cells))
    assert [len(each) for each in found.sums] == [4] * 7
    assert (("A", "B"), ("C", "E"), ("D", "F"), ("G", "H")) in found.sums
    hidden = dict(found.hidden)
    assert {name: len(threes) for name, threes in hidden.items()} == dict.fromkeys("ABCDEFGH", 7)
    assert ("A", "B", "C") in hidden["E"] and ("B", "C", "D") in hidden["H"]
    assert confounded(replace(plan, experiment="resolution-5")) is None
    assert confounded(plan_screening(small_task(5))) is None  # resolution V in as many cells
    said = unseen(found)
    assert "28 interactions of two choices only as 7 sums, such as A x B with C x E" in said
    assert "as B x C x E for that of A" in said and "--experiment resolution-5" in said


def test_finals_on_held_out_images():
    task = small_task(3, hold_out=True)
    screening = plan_screening(task)
    finals = plan_finals(task, screening, Truth(RISING, sd=0.001).records(screening))
    assert finals.held_out
    assert settings_of(task)["--hold-out"] is True and "--hold-out" not in settings_of(small_task())


def test_a_choice_that_goes_on_keeps_its_effort():
    images = SimpleNamespace(identity=lambda: DATA, source="Nothing.", largest_class=0.1)
    asked = Asked(request=asked_for(), precision="float32", images=images)
    fresh = task_of(asked, DATA)
    assert (fresh.request.experiment, fresh.request.seeds) == ("resolution-4", 2)
    least = at_effort(small_task(6), efforts(asked_for(within="1h"))[-1])
    for begun in (at_effort(small_task(6), THOROUGH), least):
        there = plan_screening(begun).asked_by(begun.request)
        kept = task_of(replace(asked, there=there), DATA)
        assert kept.effort == begun.effort != fresh.effort
        assert kept.frame.seeds == range(1)
    before = replace(there, requests=())  # of a file from before requests were kept
    assert settled_effort(asked.request, before).finalists == USUAL.finalists
    said = changed(asked.request, experiment="resolution-5")
    assert len(task_of(replace(asked, request=said), DATA).frame.seeds) == 1


class _Stop:
    """Trains until a number of runs is recorded in the folder, then interrupts the study."""

    def __init__(self, at: int) -> None:
        self.at = at

    def __enter__(self):
        def show(snapshot):
            if snapshot.done >= self.at:
                raise KeyboardInterrupt

        return show

    def __exit__(self, *_: object) -> None:
        return None


def test_an_interrupted_choice_goes_on_and_a_finished_one_trains_nothing(tmp_path: Path):
    task = small_task(factors=3, final_seeds=2, reshaped=0, seeds=1)
    truth = Truth(RISING[:8], sd=0.001, factors=task.frame.factors)
    run = partial(execute, setup=NoData(), train=truth, workers=1, devices=())
    with pytest.raises(Interrupted):
        carry_out(task, tmp_path, partial(run, progress=_Stop(3)))
    assert not (tmp_path / "finals.study").exists()
    first = carry_out(task, tmp_path, run)
    assert first.choice.winner == "+++" and 0 < first.summaries[0].recorded < 8
    again = carry_out(task, tmp_path, run)
    assert again.choice == first.choice
    assert all(summary.finished == 0 for summary in again.summaries)
    with Store.open(tmp_path / "finals.study", create=False) as store:
        assert len(store.records()) == again.summaries[1].planned


def share_held(cases: int, **world: object) -> dict[str, float]:
    """How often each statement of the answer was true."""
    factors = int(world.get("factors", 5))
    task = small_task(factors=factors, reshaped=0, held_out="finals" in world)
    held = []
    for case in range(cases):
        truth = random_truth(np.random.default_rng(case), **world)
        found, true = answer(task, truth)
        best = found.finalist(found.winner)
        own = true[found.winner]
        held.append(
            {
                "interval": best.interval.low <= own <= best.interval.high,
                "margin": max(true.values()) - own <= found.margin + 1e-9,
                "all": max(truth.values) + truth.finals - own <= found.margin_all + 1e-9,
                "named": max(true, key=true.get) in (found.winner, *found.runners_up),
            }
        )
    return {name: float(np.mean([each[name] for each in held])) for name in held[0]}


def least(cases: int) -> float:
    """A share below which 95 % is not to be believed (three standard errors)."""
    return 0.95 - 3 * np.sqrt(0.05 * 0.95 / cases)


@pytest.mark.parametrize("world", [{}, {"finals": 0.1}])
def test_the_answer_holds_as_often_as_it_says(world, monkeypatch):
    with_quick_keys(monkeypatch)
    share = share_held(40, **world)
    assert min(share.values()) >= least(40), share


@pytest.mark.slow
@pytest.mark.parametrize(
    "world",
    [
        {},
        {"pairs": 0.0},
        {"main": 0.0, "pairs": 0.0},  # nothing matters: the winner is luck
        {"own": 0.005},  # interactions of three and more
        {"shared": 0.5},  # seeds that are good or bad for all
        {"finals": 0.1},  # other images, on which all score higher
        {"finals": -0.05, "main": 0.0, "pairs": 0.0},
        {"finals": -0.05, "factors": 6, "pairs": 0.02},
        {"factors": 6, "pairs": 0.02},
    ],
)
def test_the_answer_holds_in_many_worlds(world, monkeypatch):
    with_quick_keys(monkeypatch)
    share = share_held(300, **world)
    assert min(share.values()) >= least(300), share


def regrets(cases: int, **screening: object) -> np.ndarray:
    """How far the chosen design truly is behind the best of all subsets, in points."""
    task, found = small_task(6, reshaped=0, **screening), []
    for case in range(cases):
        truth = random_truth(np.random.default_rng(case), factors=6)
        choice, true = answer(task, truth)
        found.append(100 * (max(truth.values) - true[choice.winner]))
    return np.array(found)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_more_networks_tell_more_than_more_seeds(monkeypatch):
    """32 runs each: 32 networks of one seed, and 16 of two (`-s` prints the numbers)."""
    with_quick_keys(monkeypatch)
    few = regrets(100, seeds=2)
    many = regrets(100, seeds=1, experiment="resolution-5")
    for each in (few, many):
        print(f"{each.mean():.3f} +- {each.std() / 10:.3f} points")
    assert (few - many).mean() > 2 * (few - many).std() / 10


def test_the_small_path_at_the_end_is_what_is_named():
    """The signs of a cell are in the order of the factors."""
    task = small_task(factors=3)
    cell = next(c for c in plan_screening(task).cells if c.name == "+-+")
    plain = path("small")
    made = plain.subset(at for at, choice in enumerate(plain.choices) if choice.name in cell.made)
    assert cell.made == ("patchify stem", "inverted bottleneck")
    assert replace(cell.design, widths=made.widths) == made


def test_a_choice_that_goes_on_keeps_its_path():
    """Whatever this version would choose: here a stem stride of 2."""
    images = SimpleNamespace(identity=lambda: DATA, source="Nothing.", largest_class=0.1)
    asked = Asked(request=made(Choose, {"params": "200k"}), precision="float32", images=images)
    fresh = task_of(asked, DATA, largest_class=0.2)
    assert (fresh.frame.largest_class, fresh.largest_class) == (0.1, 0.2), "screening and finals"
    assert (fresh.request.path, fresh.request.changes) == ("small", ("stem_stride=2",))
    there = plan_screening(small_task())
    kept = task_of(replace(asked, there=there), DATA)
    assert (kept.request.path, kept.request.changes) == ("small", ())
    assert kept.frame.path.start.stem_stride == 4
