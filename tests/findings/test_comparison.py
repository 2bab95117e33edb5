"""Comparisons against statsmodels, scipy and simulations of known truth; odd and broken studies."""

from dataclasses import replace

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import stats
from statsmodels.stats.multitest import multipletests

from nextify.designs import Design, recipe
from nextify.errors import InputError
from nextify.findings import attribute, grid, measure_comparison
from nextify.findings.scores import best_cell
from nextify.records import Cell, Plan

from . import simulate
from .simulate import failure, record

NUMBERS = (100, 200, 400)
IMAGES = 400


def plan(networks=3, numbers=NUMBERS, seeds=4) -> Plan:
    """Networks on numbers of 400 training images, the largest number first."""
    return Plan(
        name="comparison",
        title="simulated",
        cells=tuple(
            Cell(
                name=f"{at} on {number}",
                changed="",
                design=Design(depths=(1,), widths=(8 * (at + 1),)),
                recipe_name="modern-small",
                recipe=recipe("modern-small"),
                params=1,
                macs=1,
                network=f"network {at}",
                images=None if number == 400 else number,
            )
            for number in sorted(numbers, reverse=True)
            for at in range(networks)
        ),
        seeds=tuple(range(seeds)),
        data={"name": "simulated", "train": 400, "test": IMAGES},
        data_source="nowhere",
        experiment="comparison",
    )


def records_of(plan, scores):
    """Records with these scores, (networks, numbers ascending, seeds); NaN for a failed run."""
    generator = np.random.default_rng(0)
    networks, numbers, seeds = scores.shape
    found = []
    for cell, (number, at) in enumerate(np.ndindex(numbers, networks)):
        for seed in range(seeds):
            score = scores[at, numbers - 1 - number, seed]
            if np.isnan(score):
                found.append(failure(plan, cell, seed))
            else:
                found.append(record(plan, cell, seed, generator.random(IMAGES) < score))
    return found


def accuracies(plan, records):
    """(networks, numbers ascending, seeds), read off the records by their keys."""
    by_key = {each.key: each.result.accuracy for each in records if each.result}
    rows = [[by_key.get(plan.run(c, s).key, np.nan) for s in plan.seeds] for c in plan.cells]
    networks = len({cell.network for cell in plan.cells})
    table = np.array(rows).reshape(-1, networks, len(plan.seeds))
    return table[::-1].swapaxes(0, 1)


@pytest.fixture(scope="module")
def study():
    """Three networks of which the second loses at first and wins at last; a run is missing."""
    truth = np.array([[0.70, 0.80, 0.85], [0.50, 0.80, 0.97], [0.69, 0.79, 0.86]])
    known = plan()
    scores = np.repeat(truth[:, :, None], 4, axis=2)
    scores[2, 0, 1] = scores[0, 2, 3] = np.nan
    return known, records_of(known, scores)


def _dummies(table):
    """statsmodels' fit of networks (the first left out, with a constant) and seeds."""
    network, seed = np.nonzero(~np.isnan(table))
    columns = [np.ones(len(network))]
    columns += [network == at for at in range(1, table.shape[0])]
    columns += [seed == at for at in range(1, table.shape[1])]
    return sm.OLS(table[network, seed], np.column_stack(columns).astype(float)).fit()


def test_differences_on_each_number_are_those_of_least_squares(study):
    found = measure_comparison(*study)
    table = accuracies(*study)
    assert found.images == NUMBERS and found.networks == ("network 0", "network 1", "network 2")
    p_values = []
    for index, on in enumerate(found.at):
        want = _dummies(table[:, index])
        assert on.differences[0].value is None
        for at in (1, 2):
            move = on.differences[at]
            assert move.value == pytest.approx(want.params[at])
            interval = (move.interval.low, move.interval.high)
            assert interval == pytest.approx(tuple(want.conf_int()[at]))
            assert move.p == pytest.approx(want.pvalues[at])
        p_values += [each.p for each in on.differences[1:]]
    holm = multipletests(p_values, method="holm")[1]
    assert [m.holm for on in found.at for m in on.differences[1:]] == pytest.approx(list(holm))


def test_gains_are_those_of_least_squares_on_seeds_with_both_scores(study):
    gains = measure_comparison(*study).gains
    table = accuracies(*study)
    own = table[:, -1] - table[:, 0]
    want = _dummies(own)
    assert [mean.n for mean in gains.means] == [3, 4, 3]
    assert [mean.mean for mean in gains.means] == pytest.approx(list(np.nanmean(own, axis=1)))
    for at in (1, 2):
        move = gains.differences[at]
        assert move.value == pytest.approx(want.params[at])
        assert (move.interval.low, move.interval.high) == pytest.approx(tuple(want.conf_int()[at]))
    holm = multipletests([each.p for each in gains.differences[1:]], method="holm")[1]
    assert [each.holm for each in gains.differences[1:]] == pytest.approx(list(holm))
    pairs = own[2] - own[0]
    test = stats.ttest_1samp(pairs[~np.isnan(pairs)], 0).confidence_interval(0.95)
    paired = gains.differences[2].own
    assert (paired.low, paired.high) == pytest.approx((test.low, test.high))


def test_means_are_over_the_finished_runs_of_one_number(study):
    table = accuracies(*study)
    for index, on in enumerate(measure_comparison(*study).at):
        assert [m.mean for m in on.means] == pytest.approx(list(np.nanmean(table[:, index], 1)))
        noise = np.nanvar(table[:, index], axis=1, ddof=1)
        df = np.sum(~np.isnan(table[:, index]), axis=1) - 1
        pooled = np.sqrt(np.sum(noise * df) / np.sum(df))
        assert on.spread.within_sd == pytest.approx(pooled)


def test_who_leads_and_who_overtakes_whom(study):
    found = measure_comparison(*study)
    assert found.at[0].leader in found.at[0].rivals == (0, 2)
    assert found.at[2].leader == 1 and found.at[2].rivals == (1,)
    assert found.at[1].differences[1].verdict == "not resolved"
    (crossing,) = found.crossings
    assert (crossing.network, crossing.fewer, crossing.more) == (1, 100, 400)
    assert crossing.verdict == "up" and found.gains.differences[1].verdict == "up"


def test_a_leader_is_alone_only_where_its_differences_exclude_zero():
    """One-sided bounds of two networks tell more than the interval that is shown beside them."""
    generator = np.random.default_rng(3)
    seen = set()
    for _ in range(40):
        known = plan(networks=2, numbers=(400,), seeds=3)
        records = records_of(known, np.array([[0.70], [0.79]])[..., None].repeat(3, axis=2))
        shift = generator.normal(size=6) * 0.05
        moved = [
            replace(each, result=replace(each.result, accuracy=each.result.accuracy + by))
            for each, by in zip(records, shift, strict=True)
        ]
        on = measure_comparison(known, moved).at[0]
        is_alone = on.rivals == (on.leader,)
        assert is_alone == on.differences[1].interval.excludes_zero
        seen.add(is_alone)
    assert seen == {True, False}


def test_wide_intervals_contain_the_others_and_are_of_accuracy_only(study):
    found = measure_comparison(*study)
    groups = [(on.means, on.differences) for on in found.at]
    groups.append((found.gains.means, found.gains.differences))
    for means, differences in groups:
        for each in (*means, *differences[1:]):
            assert 0 < each.interval.half <= each.wide.half * (1 + 1e-9)
    losses = measure_comparison(study[0], _other_losses(*study), "nll")
    assert losses.gains.differences[1].wide is None
    assert losses.at[0].leader == 2  # the lowest loss is the best


def _other_losses(plan, records):
    """The same runs, with losses that fall from network to network."""
    losses = {plan.run(c, s).key: 3 - int(c.network[-1]) + 0.01 * s**2 * int(c.network[-1])
              for c in plan.cells for s in plan.seeds}  # fmt: skip
    return [
        replace(each, result=replace(each.result, nll=losses[each.key]) if each.result else None)
        for each in records
    ]


def test_a_gain_difference_is_covered_in_95_of_100_studies():
    """Draws shared by all networks, and runs on few images that differ more from seed to seed."""
    rng = np.random.default_rng(7)
    known = plan(networks=3, numbers=(100, 400), seeds=4)
    base = records_of(known, np.full((3, 2, 4), 0.5))
    truth = np.array([[2.0, 1.0], [2.5, 0.8], [1.8, 1.1]])  # loss on few and on all images
    want = (truth[1, 1] - truth[1, 0]) - (truth[0, 1] - truth[0, 0])
    studies, covered = 150, 0
    for _ in range(studies):
        draws = rng.normal(size=(2, 4)) * [[0.3], [0.1]]
        loss = truth[:, :, None] + draws + rng.normal(size=(3, 2, 4)) * [[0.4], [0.1]]
        cells = loss[:, ::-1].swapaxes(0, 1).reshape(-1, 4).ravel()
        records = [
            replace(each, result=replace(each.result, nll=float(value)))
            for each, value in zip(base, cells, strict=True)
        ]
        interval = measure_comparison(known, records, "nll").gains.differences[1].interval
        covered += interval.low <= want <= interval.high
    error = np.sqrt(0.95 * 0.05 / studies)
    assert covered / studies == pytest.approx(0.95, abs=3.5 * error)


def test_the_order_of_cells_and_records_does_not_matter(study):
    known, records = study
    first, *others = known.cells
    turned = replace(known, cells=(first, *reversed(others)))
    found, again = measure_comparison(known, records), measure_comparison(turned, records[::-1])
    where = [again.networks.index(name) for name in found.networks]
    assert where[0] == 0 and again.images == found.images
    for one, other in zip((*found.at, found.gains), (*again.at, again.gains), strict=True):
        values = [other.differences[at].value for at in where[1:]]
        assert values == pytest.approx([each.value for each in one.differences[1:]])


def test_a_network_without_a_score_takes_no_others_with_it(study):
    known, _ = study
    scores = np.full((3, 3, 4), 0.8)
    scores[1, 2] = np.nan
    found = measure_comparison(known, records_of(known, scores))
    last = found.at[2]
    assert last.means[1].n == 0 and last.means[1].mean is None and last.differences[1].value is None
    assert last.differences[2].interval is not None and 1 not in last.rivals
    assert found.gains.means[1].mean is None and found.gains.differences[1].value is None
    assert found.gains.differences[2].interval is not None
    scores[0, 2] = np.nan  # now the baseline has none either
    last = measure_comparison(known, records_of(known, scores)).at[2]
    assert not any(each.verdict for each in last.differences) and last.leader == 2


def test_a_network_need_not_be_planned_on_every_number(study):
    known, records = study
    fewer = replace(known, cells=tuple(c for c in known.cells if c.name != "2 on 200"))
    middle = measure_comparison(fewer, records).at[1]
    assert middle.means[2].n == 0 and middle.differences[2].value is None
    assert middle.means[1].n == 4


def test_one_number_one_network_one_seed_and_no_record():
    known = plan(numbers=(400,))
    found = measure_comparison(known, records_of(known, np.full((3, 1, 4), 0.8)))
    assert found.gains is None and found.crossings == () and len(found.at) == 1
    assert found.at[0].differences[1].interval is not None
    known = plan(networks=1)
    found = measure_comparison(known, records_of(known, np.full((1, 3, 4), 0.8)))
    assert not found.at[0].differences[0].verdict and found.at[0].rivals is None
    assert found.at[0].means[0].interval is not None and found.gains.means[0].interval is not None
    known = plan(seeds=1)
    found = measure_comparison(known, records_of(known, np.full((3, 3, 1), 0.8)))
    for on in (*found.at, found.gains):
        assert all(each.interval is None for each in (*on.means, *on.differences[1:]))
    assert found.at[0].rivals is None and found.at[0].leader is not None
    assert found.at[0].differences[1].verdict == "no interval" and found.crossings == ()
    found = measure_comparison(known, [])
    assert [on.leader for on in found.at] == [None, None, None]


def test_plans_that_are_no_comparison_are_refused():
    with pytest.raises(InputError, match="experiment 'path'; networks can be compared in"):
        measure_comparison(simulate.plan(2, 2), [])
    known = plan(networks=2, numbers=(400,))
    twice = replace(known, cells=(*known.cells, known.cells[0]))
    with pytest.raises(InputError, match="network 'network 0' on 400 images 2 times"):
        measure_comparison(twice, [])


def test_a_comparison_has_no_factors_to_attribute_to():
    with pytest.raises(InputError, match="nextify report FILE"):
        attribute(plan(), [])


def test_the_best_cell_is_of_those_on_the_most_images():
    """A failed run leaves the mean to the others; without any score there is no best one."""
    small = plan(numbers=(200, 400), seeds=2)
    values = np.full((3, 2, 2), 0.3)
    values[0, 0] = 0.9  # on fewer images
    values[2, 1] = 0.7, np.nan
    cell = small.cells[best_cell(small, grid(small, records_of(small, values)))]
    assert (cell.network, cell.images) == ("network 2", None)
    assert best_cell(small, grid(small, records_of(small, np.full((3, 2, 2), np.nan)))) is None
