"""Images of a run are on its card, unless they would take too much of it."""

import pytest
import torch

from nextify.data import Dataset
from nextify.training.memory import held


@pytest.fixture
def moved(monkeypatch):
    """Where data sets are moved to."""
    found = []

    def to(dataset, device):
        found.append(device)
        return dataset

    monkeypatch.setattr(Dataset, "to", to)
    return found


@pytest.mark.parametrize(("spare", "is_moved"), [(0, True), (-1, False)])
def test_images_that_take_more_than_a_third_of_what_is_free_stay(
    corners, moved, monkeypatch, spare, is_moved
):
    images = sum(part.pixels.nbytes for part in (corners.train, corners.test))
    asked = []

    def mem_get_info(device):
        asked.append(device)
        return 3 * images + spare, 10**12

    monkeypatch.setattr(torch.cuda, "mem_get_info", mem_get_info)
    assert held(corners, "cuda:1") is corners
    assert (moved, asked) == (["cuda:1"] * is_moved, ["cuda:1"])


def test_a_processor_is_asked_for_nothing(corners, moved):
    assert held(corners, "cpu") is corners and moved == ["cpu"]
