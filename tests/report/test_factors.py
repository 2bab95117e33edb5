"""The report of an experiment: what it says is what attribution found, and is true."""

import csv
import io
import json
import re
import shlex
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from nextify.costs import totals
from nextify.designs import default_factors, path, read_factors
from nextify.designs.run import REVISION
from nextify.errors import InputError
from nextify.findings import attribute
from nextify.report import write_report
from nextify.report.factors import caveats, factor_content, words
from nextify.report.factors.contribution_figure import contribution_figure
from nextify.report.factors.costs import factor_costs
from nextify.report.factors.files import agreement, factor_texts, factors_page
from nextify.report.factors.half_normal_figure import half_normal_figure
from nextify.report.factors.interaction_figure import interaction_figure, tiles
from nextify.report.factors.lane_figure import rate_figure, way_lanes, ways_figure
from nextify.report.factors.next_runs import next_runs
from nextify.report.factors.paper import paper_column
from nextify.report.marks import limits
from nextify.report.write import look, require_factors, write_factors
from nextify.requests import DataSpec, Study, read

from . import fake, fake_experiment
from .test_report import _text

NOW = "1 January 2030"


@cache
def whole(experiment="resolution-5", seeds=2, matched="", **settings):
    """A plan and all its records."""
    plan = fake_experiment.plan(experiment, seeds, matched=matched, **dict(settings))
    return plan, tuple(fake_experiment.whole(plan))


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """The report of two studies: as they are, and at equal MACs, where depthwise does nothing."""
    factors = tuple(default_factors(path("small"))[at] for at in (0, 2, 3))
    studies = []
    for matched, truth in (("", (0.01, -0.02, 0.02)), ("macs", (0.01, 0.0, 0.02))):
        plan = fake_experiment.plan("full", 3, matched=matched, factors=factors)
        studies.append((plan, fake_experiment.whole(plan, truth=truth, pairs={(1, 2): 0.024})))
    folder = tmp_path_factory.mktemp("two")
    return studies[0], write_factors(look(studies), folder, now=NOW)


def page_text(plan, records):
    """What the page says, without its figures."""
    return _text(factors_page(shown_of(plan, tuple(records)), [], None))


def shown_of(plan, records):
    return factor_content([(plan, records)])


@cache
def seen(experiment="resolution-5", metric="accuracy"):
    """The content of `whole`."""
    return factor_content([whole(experiment)], metric)


def test_page_table_and_json_agree_with_attribution(two):
    study, two = two
    found = attribute(*study)
    lines = list(csv.DictReader(io.StringIO(two.csv.read_text())))
    loaded = json.loads(two.json.read_text())["studies"][0]["attribution"]["accuracy"]
    text = _text(two.html.read_text())
    for at, each in enumerate(found.contributions):
        line = lines[at]
        assert (line["score"], line["factor"], line["matched"]) == ("accuracy", each.name, "")
        assert float(line["contribution"]) == pytest.approx(each.estimate.value, rel=1e-5)
        assert float(line["simultaneous_low"]) == pytest.approx(each.simultaneous.low, rel=1e-5)
        value = loaded["contributions"][at]["estimate"]["value"]
        assert value == pytest.approx(each.estimate.value, rel=1e-5)
        low, high = 100 * each.simultaneous.low, 100 * each.simultaneous.high
        assert f"{low:+.2f} to {high:+.2f}".replace("-", "−") in text
        assert each.answer in ("helps", "hurts") or caveats.verdict(found, each) in text
    assert len(lines) == 2 * 3 * len(found.contributions)


def test_two_studies_stand_side_by_side_and_their_difference_is_told(two):
    _, two = two
    text = _text(two.html.read_text())
    assert "Networks as they are:" in text and "Networks at equal MACs:" in text
    assert re.search(
        r"clearly change \(all factors together, 5 %\): depthwise and width \(\+1", text
    )
    assert "MACs are equal by construction" in text
    names = {figure.name for figure in two.figures}
    assert {"contributions.svg", "ways.png", "ways-2.pdf", "interactions-2.svg"} <= names
    assert {p.name for p in two.html.parent.iterdir()} == names | {
        "report.html", "report.json", "contributions.csv", "interactions.csv"
    }  # fmt: skip


def test_page_is_whole(two):
    _, two = two
    html = two.html.read_text()
    assert "http" not in html and "nan" not in _text(html).lower().split()
    outside = re.sub(r"<defs>.*?</defs>", "", html, flags=re.DOTALL)
    ids = re.findall(r'\bid="([^"]+)"', outside)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'aria-labelledby="([^"]+)"', html)) <= set(ids)
    assert all("scope=" in head for head in re.findall(r"<th\b[^>]*>", html))
    assert "{{" not in html and "Undefined" not in html


def test_equal_records_give_equal_bytes():
    plan, records = whole()
    first, again = (shown_of(plan, each) for each in (records, tuple(reversed(records))))
    assert factor_texts(first, [], NOW) == factor_texts(again, [], NOW)
    assert ways_figure(first, first.views[0]) == ways_figure(again, again.views[0])


def test_other_factors_are_refused():
    known = default_factors(path("small"))
    fewer = fake_experiment.plan(factors=known[:5])
    records = fake_experiment.whole(fewer, pairs={})
    with pytest.raises(InputError, match=r"different factors \(factor 'ReLU to GELU' differs\)"):
        factor_content([whole(), (fewer, records)])
    turned = fake_experiment.plan(factors=known[::-1])
    with pytest.raises(InputError, match="their order differs"):
        factor_content([whole(), (turned, ())])


def test_a_path_is_refused_with_the_command_that_makes_an_experiment(tmp_path):
    plan = fake.plan(cells=2)
    with pytest.raises(
        InputError, match=r"nextify study small --data .* --experiment resolution-5"
    ):
        require_factors(plan)
    there = replace(plan, where=DataSpec(source="my photos/pets", image_size=64))
    command = "--data 'my photos/pets' --image-size 64 --experiment resolution-5"
    with pytest.raises(InputError, match=command):
        require_factors(there)
    with pytest.raises(InputError, match="no run of study"):
        write_report((fake_experiment.plan(), ()), tmp_path)


@pytest.mark.parametrize("matched", ["", "macs", "params"])
def test_costs_are_those_of_the_plan(matched):
    """Sums are the end's less the start's; matched costs do not differ by more than 1 %."""
    plan = fake_experiment.plan(matched=matched)
    found = factor_costs(plan)
    first, last = plan.cells[0], plan.cells[1]
    assert (found.start.params, found.end.macs) == (first.params, last.macs)
    assert sum(found.params) == pytest.approx(last.params - first.params)
    assert sum(found.macs) == pytest.approx(last.macs - first.macs)
    assert sum(found.training_bytes) == pytest.approx(
        totals(last.design, 32, 10).training_bytes - totals(first.design, 32, 10).training_bytes
    )
    if matched:
        assert max(map(abs, getattr(found, matched))) < 0.01 * getattr(found.start, matched)


def test_costs_by_hand_for_two_factors():
    """Two factors: half the sum of what each adds first and last."""
    known = path("small")
    factors = tuple(f for f in default_factors(known) if f.name in ("stage ratio", "patchify stem"))
    plan = fake_experiment.plan("full", factors=factors)
    found = factor_costs(plan)
    macs = {cell.made: cell.macs for cell in plan.cells}
    both, one, other = macs["stage ratio", "patchify stem"], macs[("stage ratio",)], \
        macs[("patchify stem",)]  # fmt: skip
    assert found.macs[0] == pytest.approx((one - macs[()] + both - other) / 2)


def test_costs_are_not_told_where_designs_cannot_be_rebuilt():
    plan, records = whole()
    strange = replace(plan.cells[1].design, kernel_size=11)
    cells = (plan.cells[0], replace(plan.cells[1], design=strange), *plan.cells[2:])
    odd = replace(plan, cells=cells)
    assert factor_costs(odd) is None
    assert factor_costs(replace(plan, name="mine")) is None
    shown = factor_content([(replace(plan, name="mine"), records)])
    assert "cannot be rebuilt" in words.costs(shown)
    assert contribution_figure(shown).png


def test_papers_increments_are_sums_over_choices():
    factors = default_factors(path("resnet50"))
    found = paper_column("resnet50", factors)
    points = dict(zip([f.name for f in factors], found.increments, strict=True))
    assert found.own
    assert points["depthwise and width"].points == pytest.approx(80.50 - 79.51)
    assert points["fewer act. and norms, LN"].points == pytest.approx(81.47 - 80.62)
    assert points["stage ratio"].error == pytest.approx((2 * 0.07**2 / 3) ** 0.5)
    assert sum(each.points for each in found.increments) == pytest.approx(81.97 - 78.82)
    small = paper_column("small", default_factors(path("small")))
    assert not small.own and small.increments == found.increments
    last = paper_column("resnet200", default_factors(path("resnet200"))).increments[-1]
    assert last.error is None and last.points == pytest.approx(83.60 - 83.35)


def test_ways_differ_where_factors_interact():
    plan, shown = whole()[0], seen()
    at = [factor.name for factor in plan.factors].index("depthwise and width")
    alone, _, last, contribution = (lane.points[at][0] for lane in way_lanes(shown.views[0]))
    # The interaction of 2.4 points lowers the one by half of it and raises the other.
    assert alone < contribution < last
    assert last - alone == pytest.approx(0.024, abs=0.012)
    assert "depends most on its place" in words.order(shown, shown.views[0])


def test_interactions_are_framed_where_found_and_named_where_aliased():
    clear = seen()
    pair = frozenset(("depthwise and width", "inverted bottleneck"))
    places = tiles(clear.views[0].found.interactions)
    assert len(places) == 28 and places[pair].pair.found and places[pair].letter == ""
    mixed = seen("resolution-4")
    sums = tiles(mixed.views[0].found.interactions)
    assert len({tile.letter for tile in sums.values()}) == 7 and sums[pair].letter
    text = words.interactions(mixed, mixed.views[0])
    assert "depthwise and width × inverted bottleneck" in text and "sums of interactions" in text
    assert interaction_figure(mixed, mixed.views[0]).png


def test_what_to_run_next_can_be_read_by_the_command_line():
    for plan, records in (whole(), whole("resolution-4"), whole(seeds=1)):
        found = attribute(plan, records)
        advice = next_runs(plan, found, "my study.db")
        assert advice
        for each in advice:
            options = read(shlex.split(each.command)[1:]).request
            assert isinstance(options, Study) and options.runs.file and each.runs > 0


def test_more_seeds_cost_what_the_plan_with_more_seeds_has():
    plan, records = whole()
    (advice, *_) = next_runs(plan, attribute(plan, records))
    seeds = int(advice.command.rpartition(" ")[2])
    more = fake_experiment.plan(seeds=seeds)
    new = {run.key for run in more.runs()} - {run.key for run in plan.runs()}
    # The end cells' extra seeds move up with the plan's, and some of them are there.
    assert 0 <= advice.runs - len(new) <= 2 * 4


def test_a_sharper_plan_costs_its_new_runs():
    plan, records = whole("resolution-4")
    (advice, *_) = next_runs(plan, attribute(plan, records))
    assert "--experiment resolution-5" in advice.command
    there = {run.key for run in plan.runs()}
    sharper = fake_experiment.plan("resolution-5")
    assert advice.runs == len({run.key for run in sharper.runs()} - there)


def test_live_factors_are_named_so_that_they_can_be_read():
    truth = (0.03, 0.0, 0.0, 0.0, 0.03, 0.0, 0.03, 0.0)
    plan = fake_experiment.plan()
    records = fake_experiment.whole(plan, truth=truth, pairs={})
    advice = [e for e in next_runs(plan, attribute(plan, records)) if "--factors" in e.command]
    asked = read(shlex.split(advice[0].command)[1:]).request
    factors = read_factors(asked.experiment.factors, path("small"))
    kept = {factor.choices for factor in factors}
    assert {plan.factors[at].choices for at in (0, 4, 6)} == kept
    assert advice[0].runs == 8 * 4 + 8


def test_runs_that_choose_rates_are_counted():
    """What new cells of a tuned study take: a run at each rate, and then the seeds."""
    truth = (0.03, 0.0, 0.0, 0.0, 0.03, 0.0, 0.03, 0.0)
    rates = (0.5, 1.0, 2.0)
    plan = fake_experiment.plan(tuned=rates, chosen={})
    records = fake_experiment.whole(plan, truth=truth, pairs={})
    advice = {e.command: e.runs for e in next_runs(plan, attribute(plan, records))}
    (live,) = (runs for command, runs in advice.items() if "--factors" in command)
    assert live == 8 * len(rates) + 8 * 4 + 8
    screen = fake_experiment.plan("resolution-4", tuned=rates, chosen={})
    plain = fake_experiment.plan("resolution-4")
    (runs,), (bare,) = (
        [e.runs for e in next_runs(of, attribute(of, fake_experiment.whole(of)))
         if "--experiment resolution-5" in e.command]
        for of in (screen, plain)
    )  # fmt: skip
    sharper = {cell.made for cell in fake_experiment.plan().cells}
    assert runs - bare == len(rates) * len(sharper - {cell.made for cell in plain.cells})


def test_an_unfinished_study_says_so_and_asks_to_be_finished():
    plan, _ = whole()
    text = page_text(plan, fake_experiment.started(plan, 0.3))
    assert "of 138 runs recorded so far" in text and "Finish the study" in text
    assert "would likely show one as large" not in text


def test_one_seed_gives_a_half_normal_plot_and_asks_for_another():
    plan = fake_experiment.plan(seeds=1, end_seeds=0)
    records = tuple(fake_experiment.whole(plan))
    shown = shown_of(plan, records)
    drawing = half_normal_figure(shown, shown.views[0])
    assert "largest: inverted bottleneck" in drawing.description
    assert half_normal_figure(seen(), seen().views[0]) is None
    assert "a second seed for every cell" in page_text(plan, records)


def test_all_diverged_says_that_nothing_can_be_said(tmp_path):
    plan, _ = whole()
    files = write_report((plan, fake_experiment.all_diverged(plan)), tmp_path)
    text = _text(files.html.read_text())
    assert "No run has a score" in text and "cannot be told from these runs" in text
    assert "Every factor is decided" not in text and "learning_rate=" in text
    assert {f.name for f in files.figures if f.suffix == ".svg"} == {"contributions.svg"}


def test_trouble_stands_on_the_page():
    plan, _ = whole()
    text = page_text(plan, fake_experiment.troubled(plan))
    assert "Diverged runs by factor" in text and "out of memory <on device 0>" in text
    assert "Runs diverge more or less often with patchify stem" in text


def test_a_factor_that_never_varied_cannot_be_told():
    plan, records = whole()
    name = plan.factors[5].name
    made = {run.key for run in plan.runs()} - {
        plan.run(cell, seed).key
        for cell in plan.cells
        for seed in plan.seeds_of(cell)
        if name in cell.made
    }
    shown = factor_content([(plan, [record for record in records if record.key in made])])
    answers = {each.name: each.answer for each in shown.views[0].found.contributions}
    assert answers[name] == "cannot be told"
    assert "cannot be told" in contribution_figure(shown).description


def test_learning_rates_are_compared():
    plan = fake_experiment.plan("resolution-4", rates=(0.5, 2.0))
    shown = factor_content([(plan, fake_experiment.whole(plan))])
    view = shown.views[0]
    assert rate_figure(shown, view).png
    assert "No contribution is seen to change" in words.stability(view)
    assert "0.5 and 2 × the rate: +" in words.stability(view)
    plain = seen()
    assert rate_figure(plain, plain.views[0]) is None


def test_scores_that_mirror_each_other_agree():
    view = seen().views[0]
    told = [agreement(view, at) for at in range(8)]
    assert set(told) <= {"yes", "in sign"}
    assert all(
        (word == "yes") == (each.answer in ("helps", "hurts"))
        for word, each in zip(told, view.found.contributions, strict=True)
    )
    flipped = replace(
        view, scores={**view.scores, "nll": replace(view.scores["nll"], metric="accuracy")}
    )
    scores = dict(flipped.scores)
    scores["logit accuracy"] = scores["nll"]  # signs of a score of which less is better
    assert agreement(replace(view, scores=scores), 0) == "no"


def test_less_is_better_for_the_log_likelihood():
    shown = seen(metric="nll")
    names = words.headline(shown)[0]
    assert "inverted bottleneck (−0.0" in names and "nats of negative log-likelihood" in names
    assert "hurt" in words.headline(shown)[0].partition("patchify stem (+0.0")[2]


def test_names_are_escaped():
    plan, records = whole("resolution-4")
    bad = '--><script>alert("x")</script>'
    hostile = replace(plan, title=bad, data_source=bad, command=bad)
    html = factors_page(shown_of(hostile, records), [], None)
    assert "<script" not in html and "&lt;script&gt;" in html


def test_results_of_an_older_revision_are_told():
    plan, records = whole("resolution-4")
    assert "of the training code" not in page_text(plan, records)
    first, *others = records
    old = replace(first, run={**first.run, "revision": REVISION - 1})
    said = f"1 of {len(records)} results was made by revision {REVISION - 1} of the training code"
    assert f"{said}; this version is at revision {REVISION}" in page_text(plan, [old, *others])


def test_limits_hold_zero_and_all_values():
    generator = np.random.default_rng(0)
    for _ in range(50):
        values = generator.normal(size=5).tolist()
        low, high = limits(values)
        assert low < min(0.0, *values) and max(0.0, *values) < high


def test_a_fraction_has_average_effects_and_shapley_values_beside_them():
    plan, records = whole()
    shown = shown_of(plan, records)
    text, found = page_text(plan, records), shown.views[0].found
    assert found.estimand == "average effect" and "Average effect" in text
    for each in found.shapley:
        assert shown.unit.span(each.simultaneous) in text
    loaded = json.loads(factor_texts(shown, [], NOW)["report.json"])
    told = loaded["studies"][0]["attribution"]["accuracy"]
    assert told["shapley"][0]["estimate"]["value"] == pytest.approx(
        found.shapley[0].estimate.value, rel=1e-5
    )
    ways = [way for each in told["ways"] for way in each.values() if isinstance(way, dict)]
    assert {way["by"] for way in ways} == {
        "trained cells", "model of all orders"
    }  # fmt: skip
    (line, *_) = csv.DictReader(io.StringIO(factor_texts(shown, [], NOW)["contributions.csv"]))
    assert float(line["shapley_value"]) == pytest.approx(found.shapley[0].estimate.value, rel=1e-5)
    assert line["estimand"] == "average effect" and line["added_alone_by"]


def test_all_subsets_have_shapley_values_and_no_second_column():
    factors = tuple(default_factors(path("small"))[at] for at in (0, 2, 3))
    plan = fake_experiment.plan("full", 3, factors=factors)
    records = tuple(fake_experiment.whole(plan, truth=(0.01, -0.02, 0.02), pairs={}))
    assert attribute(plan, records).shapley == ()
    assert "by all orders; 95 %" not in page_text(plan, records)


def test_increments_hold_together_and_are_wider_where_no_network_was_trained():
    view = seen().views[0]
    trained = [w for each in view.found.ways for w in each.all if w and not w.predicted]
    predicted = [w for each in view.found.ways for w in each.all if w and w.predicted]
    assert trained and predicted
    for way in trained + predicted:
        single, both = way.estimate.interval, way.simultaneous
        assert both.low < single.low and single.high < both.high
    drawn = {p[1] for lane in way_lanes(view)[:3] for p in lane.points if p}
    assert drawn == {way.simultaneous for way in trained + predicted}


def test_three_factor_interactions_are_named_where_found():
    plan, records = whole()
    names = [factor.name for factor in plan.factors]
    calm = shown_of(plan, records)
    assert "none can be told from zero" in words.triples(calm, calm.views[0])
    product = fake_experiment.whole(plan, pairs={(1, 2, 4): 0.12})
    shown = shown_of(plan, tuple(product))
    text = words.triples(shown, shown.views[0])
    assert " × ".join(names[j] for j in (1, 2, 4)) in text and "most plausible stands first" in text
    assert "does not fit" in words.fit(shown.views[0])
    assert "not the Shapley values" in words.fit(shown.views[0])
