"""Runs that are trained as one network are the runs that they would be by themselves."""

import math
import sys
from dataclasses import replace
from random import Random
from statistics import mean, stdev

import pytest
import torch
import torch.nn.functional as F
from scipy.stats import t

import nextify as nx
from nextify.designs import PATHS, Design, Initial, Run, recipe
from nextify.errors import InputError
from nextify.network import build, initialise, stack_of
from nextify.training import Settings, stackable, stacked, state, train_stack, train_with_network
from nextify.training.ema import WeightAverage
from nextify.training.optimizer import clip_copies, clip_gradient, make_optimizer
from nextify.training.stacked import loss_of
from training.conftest import small_run

PATH = PATHS["small"]
PLAIN = {"mixup": 0.0, "cutmix": 0.0, "randaugment": 0.0, "random_erasing": 0.0, "flip": False,
         "crop": "none"}  # fmt: skip


def runs_of(dataset, seeds=(4, 7), **changes) -> list[Run]:
    return [small_run(dataset, seed=seed, **changes) for seed in seeds]


@pytest.mark.parametrize(
    "changes",
    [
        {"stochastic_depth": 0.5, "gradient_clip": 0.5, "layer_decay": 0.7, "ema_decay": 0.9},
        {"name": "classic"},
    ],
    ids=["modern", "classic"],
)
def test_records_are_those_of_single_runs(corners, changes):
    """The same draws: the losses and the weights agree to rounding after three epochs."""
    runs = runs_of(corners, **changes)
    for run, (record, network) in zip(runs, train_stack(runs, corners, Settings()), strict=True):
        single, state = train_with_network(run, corners, Settings())
        assert (record.key, record.run, record.outcome) == (run.key, run.as_dict(), "finished")
        assert record.as_dict().keys() == single.as_dict().keys()
        assert (record.environment, record.message) == (single.environment, "")
        assert record.result.steps == single.result.steps
        for there, here in zip(record.curve, single.curve, strict=True):
            assert there.train_loss == pytest.approx(here.train_loss, rel=1e-4)
            assert there.accuracy == pytest.approx(here.accuracy, abs=0.02)
            assert replace(there, train_loss=0, accuracy=0) == replace(
                here, train_loss=0, accuracy=0
            )
        assert record.result.nll == pytest.approx(single.result.nll, rel=1e-3)
        assert record.result.accuracy == pytest.approx(single.result.accuracy, abs=0.02)
        for name, entry in state.judged.state_dict().items():
            torch.testing.assert_close(network.state_dict()[name], entry, rtol=1e-3, atol=1e-4)
        seconds = record.measured.seconds
        assert record.measured.images_per_second == pytest.approx(3 * 256 / seconds)


def test_copies_are_started_once(corners, monkeypatch):
    """And no average of each is made beside that of the stack."""
    drawn, made = [], []

    class Counted(WeightAverage):
        def __init__(self, *given):
            made.append(given)
            super().__init__(*given)

    def counted(*given):
        drawn.append(given)
        initialise(*given)

    for module in (state, sys.modules["nextify.network.build"]):
        monkeypatch.setattr(module, "initialise", counted)
    monkeypatch.setattr(state, "WeightAverage", Counted)
    train_stack(runs_of(corners, epochs=1, ema_decay=0.9), corners, Settings())
    assert (len(drawn), len(made)) == (2, 1)


def losses(
    design: Design, copies: int, images: int, size: int, dtype: torch.dtype = torch.float32
) -> list[torch.Tensor]:
    """Of 20 steps, by the stack and by each copy: (steps, copies) each."""
    of = recipe("modern-small", learning_rate=1e-3)
    each = [build(design, 4, seed=seed).to(dtype).train() for seed in range(copies)]
    stack = stack_of(each).train()
    rules = [make_optimizer(network, of) for network in (stack, *each)]
    generator = torch.Generator().manual_seed(0)
    found: list[list[list[float]]] = [[], []]
    for _ in range(20):
        pixels = torch.randn(images, 3 * copies, size, size, generator=generator).to(dtype)
        wanted = F.one_hot(torch.randint(4, (images, copies), generator=generator), 4).to(dtype)
        alone = [F.cross_entropy(network(pixels[:, 3 * at : 3 * at + 3]), wanted[:, at])
                 for at, network in enumerate(each)]  # fmt: skip
        together = loss_of(stack, pixels, wanted)
        (sum(alone) + together.sum()).backward()
        for rule in rules:
            rule.step()
            rule.zero_grad()
        found[0].append(together.tolist())
        found[1].append([loss.item() for loss in alone])
    return [torch.tensor(each) for each in found]


@pytest.mark.parametrize("copies", [1, 2, 5])
@pytest.mark.parametrize("chosen", [(), (1, 2, 3, 4, 5), range(len(PATH.choices))], ids=str)
def test_losses_of_twenty_steps_agree(chosen, copies):
    design = replace(PATH.subset(chosen), depths=(1, 1), widths=(8, 12))
    torch.testing.assert_close(*losses(design, copies, 16, 20), rtol=1e-3, atol=0)


@pytest.mark.slow
@pytest.mark.parametrize("copies", [1, 2, 5])
@pytest.mark.parametrize("step", list(PATH.all_steps()), ids=lambda step: step.name)
def test_losses_of_twenty_steps_agree_along_the_path(step, copies):
    """In float64: in float32, batch norm and ReLU make of the last bits of one step some per cent
    of the loss after twenty, of a single network's as of a stack's."""
    found = losses(step.design, copies, 16, 28, torch.float64)
    torch.testing.assert_close(*found, rtol=1e-3, atol=0)


@pytest.mark.parametrize("number", range(50))
def test_losses_of_twenty_steps_agree_for_any_choices(number):
    draw = Random(number)
    chosen = [at for at in range(len(PATH.choices)) if draw.random() < 0.5]
    design = replace(PATH.subset(chosen), depths=(1, 1), widths=(4, 6))
    found = losses(design, (1, 2, 5)[number % 3], 8, 16, torch.float64)
    torch.testing.assert_close(*found, rtol=1e-3, atol=0)


@pytest.mark.parametrize("changes", [{}, {"name": "classic"}], ids=["modern", "classic"])
def test_a_copy_that_diverges_leaves_the_others_as_they_are(corners, monkeypatch, changes):
    runs = runs_of(corners, seeds=(1, 2, 3), epochs=2, gradient_clip=1.0, **changes)
    whole = train_stack(runs, corners, Settings())
    fresh = stacked.fresh_network

    def poisoned(run: Run, *arguments):
        network = fresh(run, *arguments)
        if run.seed == 2:
            next(network.parameters()).data[0] = math.inf
        return network

    monkeypatch.setattr(stacked, "fresh_network", poisoned)
    told = []
    settings = Settings(on_epoch=lambda point, epochs: told.append((point.epoch, epochs)))
    found = train_stack(runs, corners, settings)
    assert [record.outcome for record, _ in found] == ["finished", "diverged", "finished"]
    assert told == [(1, 2), (2, 2)]
    lost = found[1][0]
    assert lost.message == "the training loss was not finite by step 8"
    assert lost.result is None and lost.curve == () and lost.key == runs[1].key
    for at in (0, 2):
        assert found[at][0].result == whole[at][0].result
        for name, entry in whole[at][1].state_dict().items():
            assert torch.equal(found[at][1].state_dict()[name], entry), name


def test_copies_that_all_diverge_say_what_single_runs_say(corners):
    runs = runs_of(corners, name="classic", learning_rate=1e30)
    for run, (record, _) in zip(runs, train_stack(runs, corners), strict=True):
        single = train_with_network(run, corners, Settings())[0]
        assert (record.outcome, record.message) == ("diverged", single.message)
        assert record.curve == single.curve and record.result is None


def test_what_cannot_be_stacked_says_why(corners):
    run = small_run(corners)
    initial = Initial(source="file", fingerprint="0", mean=(0.5,) * 3, std=(0.5,) * 3)
    transformer = replace(run, design=nx.design("vit-mini"))
    assert stackable(run) is None
    assert stackable(transformer) == "its design is a transformer"
    assert stackable(replace(run, initial=initial)) == "it starts from trained weights"
    with pytest.raises(InputError, match="cannot be one of a stack: its design is a transformer"):
        train_stack([transformer], corners)
    with pytest.raises(InputError, match="differ in more than their seeds"):
        train_stack([run, small_run(corners, epochs=5)], corners)
    with pytest.raises(InputError, match="no runs are given"):
        train_stack([], corners)
    with pytest.raises(InputError, match="is not the one that the run names"):
        train_stack([run], replace(corners, fingerprint="1" * 64))


@pytest.mark.parametrize("largest", [0.0, 0.1, 1e3])
def test_each_copys_gradient_is_clipped_by_its_own_norm(largest):
    design = replace(PATH.end, depths=(1,), widths=(4,))
    each = [build(design, 4, seed=seed) for seed in range(3)]
    stack, generator = stack_of(each), torch.Generator().manual_seed(0)
    for parameters in zip(stack.parameters(), *(one.parameters() for one in each), strict=True):
        parameters[0].grad = torch.randn(parameters[0].shape, generator=generator)
        for own, part in zip(parameters[1:], parameters[0].grad.chunk(3), strict=True):
            own.grad = part.clone()
    clip_copies(stack.parameters(), largest, 3)
    for at, network in enumerate(each):
        clip_gradient(network.parameters(), largest)
        for own, of_all in zip(network.parameters(), stack.parameters(), strict=True):
            assert torch.equal(own.grad, of_all.grad.chunk(3)[at])


def test_stacked_and_single_runs_are_as_accurate(corners):
    """Two one-sided tests over six seeds: the mean difference is within two points at 95 %. With
    the same draws the difference is rounding, so few seeds tell."""
    run = small_run(corners, epochs=5, **PLAIN)
    runs = [replace(run, seed=seed) for seed in range(6)]
    together = [record.result.accuracy for record, _ in train_stack(runs, corners, Settings())]
    alone = [train_with_network(run, corners, Settings())[0].result.accuracy for run in runs]
    differences = [a - b for a, b in zip(together, alone, strict=True)]
    half = t.ppf(0.95, 5) * stdev(differences) / 6**0.5
    assert abs(mean(differences)) + half < 0.02
    assert mean(alone) > 0.5  # they have learnt something to lose


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
class TestOnAGpu:
    def test_records_are_close_to_those_of_single_runs(self, corners):
        runs = [replace(run, precision="bfloat16") for run in runs_of(corners, epochs=8, **PLAIN)]
        found = train_stack(runs, corners, Settings("cuda"))
        for run, (record, _) in zip(runs, found, strict=True):
            single = train_with_network(run, corners, Settings("cuda"))[0]
            assert record.curve[0].train_loss == pytest.approx(single.curve[0].train_loss, rel=0.02)
            assert record.result.accuracy == pytest.approx(single.result.accuracy, abs=0.1)

    def test_the_same_stack_gives_the_same_bits(self, corners):
        runs = [replace(run, precision="bfloat16") for run in runs_of(corners)]
        first, again = (train_stack(runs, corners, Settings("cuda")) for _ in range(2))
        assert [each[0].result for each in first] == [each[0].result for each in again]
