"""Stratified draws: every class gives its share, and nothing but labels and seed decides."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nextify.data.splits import stratified_subset, stratified_test
from nextify.errors import InputError


def labels_of(sizes: list[int]) -> torch.Tensor:
    """So many labels of each class, mixed."""
    labels = torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor(sizes))
    return labels[torch.randperm(len(labels), generator=torch.Generator().manual_seed(7))]


@given(st.lists(st.integers(2, 40), min_size=1, max_size=6), st.integers(0, 2**63 - 1))
def test_a_fifth_of_every_class_is_drawn_to_test_on(sizes: list[int], seed: int) -> None:
    labels = labels_of(sizes)
    is_test = stratified_test(labels, seed)
    for label, size in enumerate(sizes):
        count = int(is_test[labels == label].sum())
        assert 1 <= count <= size - 1
        assert abs(count - 0.2 * size) <= 0.5 or count == 1
    assert torch.equal(is_test, stratified_test(labels, seed))


def test_another_seed_draws_other_test_images() -> None:
    labels = labels_of([50, 50])
    assert not torch.equal(stratified_test(labels, 0), stratified_test(labels, 1))


@given(st.lists(st.integers(1, 30), min_size=1, max_size=6), st.data())
def test_a_subset_takes_its_share_of_every_class(sizes: list[int], data: st.DataObject) -> None:
    labels = labels_of(sizes)
    count = data.draw(st.integers(len(sizes), sum(sizes)))
    chosen = stratified_subset(labels, count, seed=3)
    assert len(chosen) == count == len(chosen.unique())
    assert torch.equal(chosen, chosen.sort().values)
    got = torch.bincount(labels[chosen], minlength=len(sizes)).tolist()
    for size, taken in zip(sizes, got, strict=True):
        rest, spare = count - len(sizes), sum(sizes) - len(sizes)
        share = 1 + (rest * (size - 1) / spare if spare else 0)
        assert 1 <= taken <= size and abs(taken - share) < 1


def test_a_larger_subset_contains_the_smaller() -> None:
    labels = labels_of([20, 20, 20])
    small, large = (set(stratified_subset(labels, n, seed=1).tolist()) for n in (9, 30))
    assert small < large


def test_fewer_images_than_classes_is_refused() -> None:
    with pytest.raises(InputError, match="train_limit=2 is fewer images than the 3 classes; give"):
        stratified_subset(labels_of([4, 4, 4]), 2, seed=0)
