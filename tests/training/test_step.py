"""The captured step, with the graph switched off: the eager one's bits, state and checkpoints."""

from dataclasses import replace

import pytest
import torch

from nextify.designs import Run, design
from nextify.network.modules import Draws, StochasticDepth
from nextify.records import EpochPoint
from nextify.training import Settings, train_stack, train_with_network
from nextify.training.loop import step_of, training_batches
from nextify.training.state import start
from nextify.training.step import Captured
from training.conftest import SMALL, small_recipe, streamed_images

EAGER, CAPTURED = Settings(captured=False), Settings(captured=True)
CASES = {
    "adamw": {"stochastic_depth": 0.5},
    "sgd": {"name": "classic", "stochastic_depth": 0.3, "gradient_clip": 0.5},
    "sgd without momentum": {"name": "classic", "momentum": 0.0},
    "clipped": {"gradient_clip": 0.1, "ema_decay": 0.9},
    "layer decay": {"layer_decay": 0.7, "warmup_epochs": 1.0},
}


def run_of(dataset, **changes):
    return Run(
        design=design("convnext-mini", **{**SMALL, "depths": (2, 2)}),
        recipe=small_recipe(**{"epochs": 2, **changes}),
        data=dataset.identity(),
    )


def assert_same(first, second):
    assert first[0].result == second[0].result and first[0].curve == second[0].curve
    states = [(s.network, s.judged) for _, s in (first, second)]
    for one, other in zip(*states, strict=True):
        for name, entry in one.state_dict().items():
            assert torch.equal(entry, other.state_dict()[name]), name


@pytest.mark.parametrize("case", CASES)
def test_two_epochs_equal_the_eager_ones_bit_for_bit(corners, case):
    run = run_of(corners, **CASES[case])
    eager, captured = (train_with_network(run, corners, how) for how in (EAGER, CAPTURED))
    assert_same(eager, captured)
    for name, generator in eager[1].generators.items():
        assert torch.equal(generator.get_state(), captured[1].generators[name].get_state()), name


def test_in_mixed_precision_and_with_batch_norm(corners):
    run = Run(
        design=design("resnet-small", **{**SMALL, "depths": (1, 1)}),
        recipe=small_recipe(epochs=1, stochastic_depth=0.2),
        data=corners.identity(),
        precision="bfloat16",
    )
    assert_same(*(train_with_network(run, corners, how) for how in (EAGER, CAPTURED)))


@pytest.mark.parametrize(("name", "of"), [("modern", "convnext-mini"), ("classic", "resnet-small")])
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_stack_equals_the_eager_one_bit_for_bit(corners, name, of, precision):
    changes = {"stochastic_depth": 0.5, "gradient_clip": 0.5, "ema_decay": 0.9}
    run = Run(
        design=design(of, **{**SMALL, "depths": (2, 2)}),
        recipe=small_recipe(name, epochs=2, **changes),
        data=corners.identity(),
        precision=precision,
    )
    runs = [replace(run, seed=seed) for seed in (1, 2, 3)]
    stacks = [train_stack(runs, corners, how) for how in (EAGER, CAPTURED)]
    for (eager, mine), (captured, other) in zip(*stacks, strict=True):
        assert (eager.result, eager.curve) == (captured.result, captured.curve)
        for at, entry in mine.state_dict().items():
            assert torch.equal(entry, other.state_dict()[at]), at


def test_images_from_files_equal_the_eager_ones_bit_for_bit(tmp_path):
    images = streamed_images(tmp_path, 16)
    run = replace(run_of(images), recipe=small_recipe(epochs=2, batch_size=4))
    assert images.is_streamed
    assert_same(*(train_with_network(run, images, how) for how in (EAGER, CAPTURED)))


class Stop(Exception):
    pass


@pytest.mark.parametrize("name", ["modern", "classic"])
@pytest.mark.parametrize("stopped, resumed", [(EAGER, CAPTURED), (CAPTURED, EAGER)])
def test_either_goes_on_from_the_others_checkpoint(corners, tmp_path, name, stopped, resumed):
    run = run_of(corners, name=name, stochastic_depth=0.2)
    whole = train_with_network(run, corners, EAGER)

    def stop(point: EpochPoint, epochs: int) -> None:
        raise Stop

    file = tmp_path / "checkpoint.pt"
    with pytest.raises(Stop):
        train_with_network(run, corners, replace(stopped, checkpoint=file, on_epoch=stop))
    groups = torch.load(file, weights_only=True)["optimizer"]["param_groups"]
    assert {type(group["lr"]) for group in groups} == {float}
    assert not any(group.get("capturable") for group in groups)
    assert_same(whole, train_with_network(run, corners, replace(resumed, checkpoint=file)))


def test_the_preparation_leaves_the_state_as_it_was(corners):
    run = run_of(corners, stochastic_depth=0.5, warmup_epochs=1.0)
    state, settings = start(run, corners, "cpu"), CAPTURED
    step = step_of(state, run, corners, settings)
    before = {name: entry.clone() for name, entry in state.network.state_dict().items()}
    drawn = state.generators["drop"].get_state()
    images, targets = next(training_batches(state, run, corners, settings))
    assert isinstance(step, Captured)
    step(images, targets)  # at a learning rate of 0
    for name, entry in state.network.state_dict().items():
        if "num_batches" not in name and "running" not in name:
            assert torch.equal(entry, before[name]), name
    assert {int(of["step"]) for of in state.optimizer.state.values()} == {1}
    blocks = [m for m in state.network.modules() if isinstance(m, StochasticDepth)]
    generator = state.generators["drop"]
    assert all(block.generator is generator for block in blocks)
    asked = sum(block.probability > 0 for block in blocks)
    again = torch.Generator()
    again.set_state(drawn)
    torch.rand(asked * len(images), generator=again)
    assert torch.equal(again.get_state(), generator.get_state())


def test_draws_are_what_the_generator_would_have_given():
    draws, same = Draws(torch.Generator().manual_seed(0)), torch.Generator().manual_seed(0)
    for _ in range(3):
        assert draws.take(7).tolist() == [0.0] * 7
    draws.counted()
    for _ in range(2):
        draws.refill()
        draws.begin()
        for _ in range(3):
            assert torch.equal(draws.take(7), torch.rand(7, 1, 1, generator=same).view(-1))
