"""The time that a run will take, from a few of its steps."""

from dataclasses import replace

import pytest

from nextify.designs import Run, design
from nextify.training import Settings, timing
from nextify.training.timing import Allowance, time_run
from training.conftest import SMALL, small_recipe


@pytest.mark.parametrize("images", [1, 14, 27])
def test_a_part_of_a_batch_has_equal_parts_too(corners, monkeypatch, images):
    """As the buffers of a captured step with stochastic depth need them."""
    seen = []

    def stepping(*given):
        step = step_of(*given)
        return lambda batch, targets: [seen.append(len(batch)), step(batch, targets)][1]

    step_of = timing.step_of
    monkeypatch.setattr(timing, "step_of", stepping)
    monkeypatch.setattr(timing, "settings_on", lambda *_: Settings(captured=True))
    recipe = small_recipe(accumulate=4, stochastic_depth=0.5)
    deep = design("convnext-mini", **{**SMALL, "depths": (2, 2)})
    run = Run(design=deep, recipe=recipe, data=corners.identity())
    allowed = Allowance(warmup=1, steps=2, images=images, seconds=9.0)
    assert time_run(run, corners, replace(allowed)) > 0
    assert set(seen) == {max(4, images // 4 * 4)}
