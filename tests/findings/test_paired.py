"""The interval of a loss of accuracy, against its definition and for its coverage."""

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from nextify.findings.paired import paired_loss


def answers(lost: int, won: int, count: int):
    before = np.arange(count) >= won
    return before, before & (np.arange(count) < count - lost) | ~before


def score(lost: int, won: int, count: int, loss: float) -> float:
    """McNemar's test for a loss, with the share of won images that is the likeliest by search."""

    def unlikely(share: float) -> float:
        shares = (share + loss, share, 1 - 2 * share - loss)
        counts = (lost, won, count - lost - won)
        return -sum(n * np.log(max(p, 1e-300)) for n, p in zip(counts, shares, strict=True) if n)

    between = (max(0.0, -loss), (1 - loss) / 2)
    share = minimize_scalar(unlikely, bounds=between, method="bounded", options={"xatol": 1e-12}).x
    return (lost - won - count * loss) / np.sqrt(count * (2 * share + loss * (1 - loss)))


@pytest.mark.parametrize("lost,won,count", [(5, 2, 50), (0, 0, 44), (9, 1, 44), (0, 3, 100)])
def test_both_ends_are_where_the_test_just_rejects(lost, won, count):
    found = paired_loss(*answers(lost, won, count))
    assert found.low <= (lost - won) / count <= found.high
    assert score(lost, won, count, found.high) == pytest.approx(-1.96, abs=0.01)
    assert score(lost, won, count, found.low) == pytest.approx(1.96, abs=0.01)


def test_it_turns_with_its_sides():
    before, after = answers(7, 2, 60)
    one, other = paired_loss(before, after), paired_loss(after, before)
    assert (one.low, one.high) == pytest.approx((-other.high, -other.low))


def test_everything_lost():
    assert paired_loss(np.ones(9, bool), np.zeros(9, bool)).high == 1


@pytest.mark.parametrize("lost,won", [(0.01, 0.005), (0.002, 0.002)])
def test_it_holds_its_word(lost, won):
    draw, hits = np.random.default_rng(0), 0
    for _ in range(400):
        each = draw.random(500)
        before, after = each >= won, each < 1 - lost
        found = paired_loss(before, after)
        hits += found.low <= lost - won <= found.high
    assert hits >= 370
