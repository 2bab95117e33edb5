"""Designs filled up to a budget: none exceeded, one used up, proportions kept."""

from itertools import pairwise, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nextify.costs import cost, totals
from nextify.designs import design, path
from nextify.errors import InputError
from nextify.fitting import budgets_of, can_fill, fill_budget, use_of

SMALL = path("small")
BUDGETS = {"params": "params", "macs": "macs", "activation_memory": "training_bytes"}


@settings(max_examples=60, deadline=None)
@given(
    made=st.sets(st.integers(0, 12)),
    params=st.none() | st.integers(90_000, 3_000_000),
    macs=st.none() | st.integers(1_000_000, 50_000_000),
    memory=st.none() | st.integers(100_000, 3_000_000),
)
def test_no_budget_is_exceeded_and_one_is_used_up(made, params, macs, memory):
    given_budgets = {"params": params, "macs": macs, "activation_memory": memory}
    budgets = {name: most for name, most in given_budgets.items() if most is not None}
    if not budgets:
        return
    plain = SMALL.subset(made)
    if not can_fill(plain, budgets, image_size=28, classes=10):
        with pytest.raises(InputError, match="the smallest possible"):
            fill_budget(plain, budgets, image_size=28, classes=10)
        return
    filled = fill_budget(plain, budgets, image_size=28, classes=10)
    counted = cost(filled, 28, 10)  # layer by layer, not by polynomials
    uses = [getattr(counted, BUDGETS[name]) / most for name, most in budgets.items()]
    assert max(uses) <= 1
    assert max(uses) >= (0.99 if min(filled.widths) > 8 else 0.7)
    assert filled.depths == plain.depths and filled.spatial == plain.spatial


def test_against_every_width_near():
    """Of all widths that keep the budget and use it by 99 %, none keeps the proportions better."""
    budgets = {"params": 100_000}
    filled = fill_budget(SMALL.end, budgets, image_size=28, classes=10)
    kept = []
    for widths in product(range(14, 26), range(28, 50), range(56, 100)):
        params = totals(design("convnext-mini", depths=SMALL.end.depths, widths=widths), 28, 10)
        if 99_000 <= params.params <= 100_000:
            kept.append(widths)
    ratio = [(w[1] / w[0], w[2] / w[1]) for w in kept]
    off = min(max(abs(a / 2 - 1), abs(b / 2 - 1)) for a, b in ratio)
    mine = max(abs(filled.widths[1] / filled.widths[0] / 2 - 1),
               abs(filled.widths[2] / filled.widths[1] / 2 - 1))  # fmt: skip
    assert filled.widths in kept and mine <= off + 0.05


def test_what_cannot_be_narrow_enough_says_what_the_smallest_takes():
    with pytest.raises(InputError) as refused:
        fill_budget(SMALL.start, {"params": 2000, "macs": 10**9}, image_size=28, classes=10)
    smallest = design("resnet50", depths=(1, 2, 1), widths=(4, 8, 16))
    assert f"{totals(smallest, 28, 10).params:,} params (given: 2,000);" in str(refused.value)
    assert "(4, 8, 16)" in str(refused.value) and "macs" not in str(refused.value)


@pytest.mark.parametrize(
    ("budgets", "told"),
    [({}, "no budget is given"), ({"flops": 1}, "unknown budget 'flops'"), ({"macs": 0}, "macs")],
)
def test_what_is_no_budget_is_refused(budgets, told):
    with pytest.raises(InputError, match=told):
        fill_budget(SMALL.start, budgets)


def test_budgets_are_those_of_fit():
    assert budgets_of("12M", 10**9) == {"params": 12_000_000, "macs": 10**9}
    like = budgets_of(like="convnext-tiny")
    assert use_of(design("convnext-tiny"), like) == dict.fromkeys(like, 1.0)
    with pytest.raises(InputError, match="no budget is given"):
        budgets_of()


@pytest.mark.parametrize(
    ("plain", "size", "budgets"),
    [
        (path("resnet50").end, 224, {"params": 12_000_000, "macs": 2_200_000_000}),
        (path("resnet50").start, 224, {"params": 12_000_000, "macs": 2_200_000_000}),
        (path("small").start, 96, {"params": 300_000, "macs": 50_000_000}),
    ],
)
def test_of_two_budgets_both_are_used(plain, size, budgets):
    """In the widths' own proportions one of them would be used by 85 % or less."""
    filled = fill_budget(plain, budgets, image_size=size, classes=12)
    assert min(use_of(filled, budgets, image_size=size, classes=12).values()) > 0.95
    growths = [after / before for before, after in pairwise(filled.widths)]
    assert all(1.45 <= growth <= 2.55 for growth in growths), filled.widths
