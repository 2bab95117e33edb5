"""Several designs compared: quantiles against simulation and tables, coverage, and odd cases."""

import numpy as np
import pytest

from nextify.findings.best import compare_with_best, dunnett, largest_t


@pytest.mark.parametrize(("count", "df"), [(2, 4), (6, 24), (3, 2.5)])
def test_quantiles_against_simulation(count, df):
    rng = np.random.default_rng(0)
    normal = rng.normal(size=(200_000, count + 1))
    spread = np.sqrt(rng.chisquare(df, 200_000) / df)
    largest = np.abs(normal[:, :count]).max(1) / spread
    assert abs((largest <= largest_t(count, df)).mean() - 0.95) < 0.002
    ahead = (normal[:, :count] - normal[:, count:]).max(1) / np.sqrt(2) / spread
    assert abs((ahead <= dunnett(count, df)).mean() - 0.95) < 0.002


def test_dunnett_against_his_table():
    """Dunnett 1955, Table 1a: one-sided, joint confidence of 95 %."""
    table = {(1, 5): 2.02, (2, 5): 2.44, (5, 5): 2.98, (3, 10): 2.34}
    for (count, df), value in table.items():
        assert abs(dunnett(count, df) - value) < 0.006, (count, df, dunnett(count, df))


@pytest.mark.parametrize("apart", [0.0, 0.7])
def test_intervals_hold_for_all_designs_and_for_the_winner(apart):
    rng = np.random.default_rng(1)
    truth = apart * np.arange(5)
    held = np.zeros((600, 3))
    for case in range(len(held)):
        seeds = 0.5 * rng.normal(size=5)
        scores = truth[:, None] + seeds + rng.normal(size=(5, 5))
        found = compare_with_best(scores, [True] * 5)
        inside = [i is not None and i.low <= t <= i.high
                  for i, t in zip(found.intervals, truth, strict=True)]  # fmt: skip
        behind = [truth[at] - max(np.delete(truth, at)) for at in range(5)]
        ranked = [i is not None and i.low - 1e-9 <= b <= i.high + 1e-9
                  for i, b in zip(found.behind, behind, strict=True)]  # fmt: skip
        held[case] = inside[found.winner], all(inside), all(ranked)
    share = held.mean(0)
    assert np.all(share > 0.95 - 3 * np.sqrt(0.05 * 0.95 / len(held))), share


def test_one_that_is_clearly_best_is_told_apart():
    scores = np.array([[0.5, 0.51, 0.49], [0.9, 0.91, 0.89], [0.5, 0.5, 0.52]])
    found = compare_with_best(scores, [True] * 3)
    assert found.winner == 1 and found.margin == 0.0
    assert [found.may_be_best(at) for at in range(3)] == [False, True, False]


def test_what_is_not_in_the_running_does_not_win():
    scores = np.array([[0.9, np.nan, 0.9], [0.5, 0.52, 0.51], [0.5, 0.51, 0.52]])
    found = compare_with_best(scores, [False, True, True])
    assert found.winner in (1, 2) and found.behind[0] is None and found.intervals[0] is not None


def test_without_spread_there_are_no_intervals():
    found = compare_with_best(np.array([[0.5], [0.6]]), [True, True])
    assert (found.winner, found.margin, found.intervals) == (1, None, (None, None))
    assert found.may_be_best(0)
    nothing = compare_with_best(np.full((2, 3), np.nan), [True, True])
    assert nothing.winner is None and nothing.margin is None
    alone = compare_with_best(np.array([[0.5, 0.6]]), [True])
    assert alone.winner == 0 and alone.margin is None and alone.intervals[0] is not None


def test_a_design_that_varies_much_more_does_not_blur_the_others():
    """As when one of the references trains badly: 28, 44 and 49 % beside some 75 %."""
    good = np.array([[0.751, 0.746, 0.769], [0.769, 0.767, 0.776], [0.755, 0.723, 0.761]])
    alone = compare_with_best(good, [True] * 3)
    found = compare_with_best(np.vstack([good, [0.28, 0.44, 0.49]]), [True] * 4)
    assert found.apart == (3,) and found.winner == 1
    assert alone.behind[1].high < found.behind[1].high < 1.2 * alone.behind[1].high
    assert not found.may_be_best(3) and found.may_be_best(0)
    assert found.intervals[3].half > 5 * found.intervals[0].half


def test_unequal_spread_keeps_the_coverage():
    rng = np.random.default_rng(2)
    sizes = np.array([1.0, 1.0, 1.0, 1.0, 8.0])
    truth = np.array([0.0, 0.5, 1.0, 1.0, -8.0])
    held = np.zeros((500, 2))
    for case in range(len(held)):
        found = compare_with_best(
            truth[:, None] + sizes[:, None] * rng.normal(size=(5, 5)), [True] * 5
        )
        own = found.intervals[found.winner]
        held[case] = (
            own.low <= truth[found.winner] <= own.high,
            1 - truth[found.winner] <= found.margin,
        )
    assert np.all(held.mean(0) > 0.95 - 3 * np.sqrt(0.05 * 0.95 / len(held))), held.mean(0)
