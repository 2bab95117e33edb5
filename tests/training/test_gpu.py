"""What only a GPU can show: the same bits twice, mixed precision, the CPU's answers, and captured
steps that do what eager ones do and wait for nothing.

On one GPU, with one version of torch, the same run gives the same bits every time, captured or
eager. A captured step and an eager one differ by the rounding of the learning rate, float32 here
and float64 there, and by stochastic depth's numbers, which a GPU draws in another order.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
import torch

import nextify as nx
from nextify.designs import Run, design
from nextify.network.modules import ResidualBlock
from nextify.records import EpochPoint
from nextify.training import Settings, loop, train_with_network
from nextify.training.evaluate import answers_of, evaluate
from nextify.training.feed import fed
from nextify.training.loop import step_of, training_batches
from nextify.training.machine import deterministic
from nextify.training.state import start
from nextify.training.step import Captured
from training.conftest import SMALL, make_images, small_recipe, streamed_images
from training.test_feed import RECIPES, dataset_of, generators

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]


def gpu_run(dataset, **changes):
    return Run(
        design=design("convnext-mini", **SMALL),
        recipe=small_recipe(**changes),
        data=dataset.identity(),
        precision="bfloat16",
    )


@pytest.mark.parametrize("captured", [True, False])
def test_the_same_run_gives_the_same_bits(corners, captured):
    run, how = gpu_run(corners), Settings("cuda", captured=captured)
    first, again = (train_with_network(run, corners, how) for _ in range(2))
    assert first[0].result == again[0].result
    for name, entry in first[1].network.state_dict().items():
        assert torch.equal(entry, again[1].network.state_dict()[name]), name


def test_images_that_stay_in_memory_give_the_same_bits(corners, monkeypatch):
    run, settings = gpu_run(corners), Settings("cuda")
    there = train_with_network(run, corners, settings)[0]
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (1, 1))
    assert train_with_network(run, corners, settings)[0].result == there.result


def test_images_from_files_are_trained_on_by_replays(tmp_path, monkeypatch):
    images, taken = streamed_images(tmp_path, 64), []
    replay = torch.cuda.CUDAGraph.replay
    monkeypatch.setattr(torch.cuda.CUDAGraph, "replay", lambda one: taken.append(1) or replay(one))
    run, settings = gpu_run(images, batch_size=4, epochs=2), Settings("cuda", workers=2)
    first, again = (train_with_network(run, images, settings)[0] for _ in range(2))
    assert first.result == again.result and len(taken) >= 2 * 2 * 3


@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="needs two CUDA devices")
def test_the_second_of_two_cards_trains_as_the_first_does(corners):
    run, cards = gpu_run(corners), []
    first, second = (
        train_with_network(
            run, corners, Settings(name, on_start=lambda: cards.append(torch.cuda.current_device()))
        )[0]
        for name in ("cuda:0", "cuda:1")
    )
    assert cards == [0, 1] and torch.cuda.current_device() == 0
    if first.environment["device"] == second.environment["device"]:
        assert first.result == second.result


def test_resuming_gives_the_same_bits(corners, tmp_path):
    run = gpu_run(corners)
    whole = train_with_network(run, corners, Settings("cuda"))[0]

    def stop(point: EpochPoint, epochs: int) -> None:
        raise KeyboardInterrupt

    file = tmp_path / "checkpoint.pt"
    with pytest.raises(KeyboardInterrupt):
        train_with_network(run, corners, Settings("cuda", checkpoint=file, on_epoch=stop))
    resumed = train_with_network(run, corners, Settings("cuda", checkpoint=file))[0]
    assert resumed.result == whole.result


@pytest.mark.parametrize("captured", [True, False])
@pytest.mark.parametrize("name", ["modern", "classic"])
def test_either_goes_on_from_the_others_checkpoint(corners, tmp_path, name, captured):
    """With the same bits as far as they go: the learning rate rounds in another way."""
    run = gpu_run(corners, name=name, epochs=2, stochastic_depth=0.0)
    whole = train_with_network(run, corners, Settings("cuda", captured=captured))[0]

    def stop(point: EpochPoint, epochs: int) -> None:
        raise KeyboardInterrupt

    file = tmp_path / "checkpoint.pt"
    with pytest.raises(KeyboardInterrupt):
        train_with_network(run, corners, Settings("cuda", checkpoint=file, on_epoch=stop,
                                                  captured=not captured))  # fmt: skip
    resumed = train_with_network(run, corners, Settings("cuda", checkpoint=file, captured=captured))
    assert resumed[0].result.curve[-1].train_loss == pytest.approx(
        whole.result.curve[-1].train_loss, rel=0.02
    )


def losses_of(run, dataset, captured, steps):
    """The first losses, and the state after them."""
    settings = Settings("cuda", captured=captured)
    with deterministic("cuda"):
        state = start(run, dataset, "cuda")
        step, losses = step_of(state, run, dataset, settings), []
        while len(losses) < steps:
            for images, targets in training_batches(state, run, dataset, settings):
                losses.append(step(images, targets))
                state.step += 1
    return torch.stack(losses[:steps]), state


CASES = {
    "adamw": {},
    "clipped": {"gradient_clip": 0.1, "layer_decay": 0.7},
    "sgd": {"name": "classic", "gradient_clip": 0.5},
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_captured_steps_equal_eager_ones(corners, case, precision):
    changes = {"stochastic_depth": 0.0, "ema_decay": 0.9, **CASES[case]}
    run = Run(
        design=design("convnext-mini", **SMALL),
        recipe=small_recipe(**changes),
        data=corners.identity(),
        precision=precision,
    )
    (eager, state), (captured, other) = (
        losses_of(run, corners, captured, 8) for captured in (False, True)
    )
    close = {"float32": 1e-5, "bfloat16": 5e-3}[precision]
    torch.testing.assert_close(captured, eager, rtol=close, atol=0)
    for networks in ((state.network, other.network), (state.judged, other.judged)):
        one, two = (torch.cat([p.flatten() for p in n.parameters()]) for n in networks)
        assert (one - two).norm() / one.norm() < 10 * close


def test_replayed_steps_equal_the_same_steps_without_a_graph(corners, monkeypatch):
    """Stochastic depth, too: its numbers come from the same tensors."""
    run = gpu_run(corners, stochastic_depth=0.5)
    replayed, state = losses_of(run, corners, True, 16)
    monkeypatch.setattr(loop, "Captured", lambda update, graph: Captured(update, graph=False))
    single, other = losses_of(run, corners, True, 16)
    torch.testing.assert_close(replayed, single, rtol=1e-5, atol=0)
    for one, two in zip(state.network.parameters(), other.network.parameters(), strict=True):
        torch.testing.assert_close(one, two, rtol=1e-4, atol=1e-5)


@contextmanager
def without_waiting() -> Iterator[None]:
    """Inside, whatever waits for the GPU is an error."""
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode("default")


def test_a_captured_step_waits_for_nothing(corners):
    run, settings = gpu_run(corners, stochastic_depth=0.2, gradient_clip=1.0), Settings("cuda")
    dataset = replace(corners, train=corners.train.to("cuda"))
    with deterministic("cuda"):
        state = start(run, dataset, "cuda")
        step = step_of(state, run, dataset, settings)
        found = training_batches(state, run, dataset, settings)
        step(*next(found))
        images, targets = next(found)
        with without_waiting():
            for _ in range(3):
                step(images, targets)
                state.step += 1


@pytest.mark.parametrize("name", RECIPES)
def test_images_in_chunks_are_the_cpus_and_nothing_waits_for_them(name):
    dataset, recipe = dataset_of(), small_recipe(batch_size=4, **RECIPES[name])
    there = replace(dataset, train=dataset.train.to("cuda"))
    with deterministic("cuda"):
        list(fed(there, recipe, generators(0), device="cuda"))
        with without_waiting():
            found = list(fed(there, recipe, generators(1), device="cuda"))
    expected = list(fed(dataset, recipe, generators(1), device="cpu"))
    for (images, targets), (ours, soft) in zip(found, expected, strict=True):
        torch.testing.assert_close(targets.cpu(), soft)
        difference = (images.cpu() - ours).abs()
        level = 1 / 255 / 0.2  # where a sum is half way between two levels, rounding decides
        assert difference.max() < 2 * level + 1e-4 and (difference > 1e-4).float().mean() < 0.01


def test_a_replayed_evaluation_equals_an_eager_one(corners):
    network = nx.build(design("convnext-mini", **SMALL), 4, image_size=16).cuda()
    images = make_images(1100, 3).to("cuda")
    replayed = answers_of(network, corners, replayed=True)
    for _ in range(2):
        eager = evaluate(network, corners, images, device="cuda")
        again = evaluate(network, corners, images, device="cuda", answers=replayed)
        assert again.packed == eager.packed
        assert (again.accuracy, again.nll) == pytest.approx((eager.accuracy, eager.nll), rel=1e-6)
        with torch.no_grad():  # what is replayed sees weights that have changed
            for parameter in network.parameters():
                parameter.mul_(1.1)


def test_a_run_leaves_no_memory_behind(corners):
    run, held = gpu_run(corners, epochs=1), []
    for _ in range(4):
        train_with_network(run, corners, Settings("cuda"))
        gc.collect()
        held.append((torch.cuda.memory_allocated(), torch.cuda.memory_reserved()))
    assert held[-1][0] <= held[0][0] and held[-1][1] <= held[1][1] + (32 << 20)


def test_the_residual_stream_is_wide_in_mixed_precision(corners):
    network = nx.build(design("convnext-mini", **SMALL), 4, image_size=16).cuda()
    found = []
    for module in network.modules():
        if isinstance(module, ResidualBlock):
            module.register_forward_hook(lambda _, __, y: found.append(y.dtype))
    with torch.autocast("cuda", torch.bfloat16):
        network(torch.randn(2, 3, 16, 16, device="cuda"))
    assert set(found) == {torch.float32}


def test_mixed_precision_learns(corners):
    plain = {"mixup": 0.0, "cutmix": 0.0, "randaugment": 0.0, "random_erasing": 0.0}
    run = gpu_run(corners, epochs=8, flip=False, crop="none", **plain)
    record, state = train_with_network(run, corners, Settings("cuda"))
    assert record.result.accuracy > 0.9
    assert {p.dtype for p in state.network.parameters()} == {torch.float32}
    assert record.environment["device_kind"] == "cuda"


@pytest.mark.parametrize("name", ["resnet50", "convnext-tiny"])
def test_outputs_equal_the_cpus(name):
    network = nx.build(nx.design(name), 10).eval()
    images = torch.randn(2, 3, 96, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad(), deterministic("cuda"):
        on_cpu = network(images)
        on_gpu = network.cuda()(images.cuda()).cpu()
    assert (on_cpu - on_gpu).norm() / on_cpu.norm() < 1e-4
