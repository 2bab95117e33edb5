"""The modern recipe, piece by piece, against timm's and torch's own."""

import math

import pytest
import timm.optim
import timm.scheduler
import timm.utils
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import nextify as nx
from nextify.designs import recipe
from nextify.training.ema import WeightAverage, effective_decay
from nextify.training.evaluate import calibration_error
from nextify.training.machine import loaders_for, thread_count
from nextify.training.optimizer import make_optimizer, parameter_groups
from nextify.training.schedule import learning_rate_at


def convnext_lr(base: float, final: float, epochs: int, warmup: int, per_epoch: int) -> list[float]:
    """The cosine_scheduler of the official code, written from its description: `warmup * per_epoch`
    evenly spaced points from 0 to the base, then a half cosine over the rest."""
    start = [base * i / (warmup * per_epoch - 1) for i in range(warmup * per_epoch)]
    rest = epochs * per_epoch - len(start)
    return start + [
        final + 0.5 * (base - final) * (1 + math.cos(math.pi * i / rest)) for i in range(rest)
    ]


def test_learning_rate_at_every_step_as_the_papers_code():
    modern = recipe("modern", epochs=30, warmup_epochs=2.0)
    ours = [learning_rate_at(modern, step, 7) for step in range(30 * 7)]
    assert ours == pytest.approx(convnext_lr(4e-3, 1e-6, 30, 2, 7), rel=1e-12)


def test_cosine_after_warmup_equals_torchs():
    modern = recipe("modern", epochs=10, warmup_epochs=0.0)
    parameter = nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([parameter], lr=4e-3)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=50, eta_min=1e-6)
    for step in range(50):
        assert learning_rate_at(modern, step, 5) == pytest.approx(scheduler.get_last_lr()[0])
        optimizer.step()
        scheduler.step()


def test_cosine_equals_timms_scheduler():
    modern = recipe("modern", epochs=10, warmup_epochs=0.0)
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=4e-3)
    scheduler = timm.scheduler.CosineLRScheduler(optimizer, 50, lr_min=1e-6, t_in_epochs=False)
    for step in range(50):
        scheduler.step_update(step)
        found = optimizer.param_groups[0]["lr"]
        assert learning_rate_at(modern, step, 5) == pytest.approx(found)


def test_steps_equal_torchs_multistep():
    classic = recipe("classic", epochs=9)
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.1)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=3, gamma=0.1)
    for epoch in range(9):
        for step in range(4):
            rate = learning_rate_at(classic, epoch * 4 + step, 4)
            assert rate == pytest.approx(scheduler.get_last_lr()[0])
        optimizer.step()
        scheduler.step()


def names_without_decay(network: nn.Module, groups: list) -> set[str]:
    free = {id(p) for group in groups if group["weight_decay"] == 0 for p in group["params"]}
    return {name for name, p in network.named_parameters() if id(p) in free}


@pytest.mark.parametrize("design", ["convnext-mini", "resnet50"])
def test_decay_groups_equal_timms(design):
    network = nx.build(nx.design(design), 10, device="meta")
    ours = names_without_decay(network, parameter_groups(network, recipe("modern")))
    timms = timm.optim.param_groups_weight_decay(network, weight_decay=0.05)
    assert ours == names_without_decay(network, timms)
    expected = {n for n, p in network.named_parameters() if p.ndim == 1}
    assert ours == expected and any("scale" in n or "norm" in n for n in ours)


def test_the_classic_recipe_decays_everything():
    network = nx.build(nx.design("resnet50"), 10, device="meta")
    (group,) = parameter_groups(network, recipe("classic"))
    assert len(group["params"]) == len(list(network.parameters()))


@pytest.mark.parametrize(
    ("name", "reference"),
    [
        ("modern", lambda p: torch.optim.AdamW(p, lr=4e-3, betas=(0.9, 0.999), weight_decay=0.05)),
        ("classic", lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, weight_decay=1e-4)),
    ],
)
def test_optimisers_step_as_torchs_plain_ones(name, reference):
    networks = [nn.Linear(5, 3) for _ in range(2)]
    networks[1].load_state_dict(networks[0].state_dict())
    with torch.no_grad():
        for network in networks:
            network.bias.zero_()
    ours = make_optimizer(networks[0], recipe(name))
    theirs = reference([{"params": [networks[1].weight]}, {"params": [networks[1].bias],
        **({"weight_decay": 0.0} if name == "modern" else {})}])  # fmt: skip
    for step in range(5):
        x = torch.randn(4, 5, generator=torch.Generator().manual_seed(step))
        for network, optimizer in zip(networks, (ours, theirs), strict=True):
            optimizer.zero_grad()
            network(x).square().sum().backward()
            optimizer.step()
    torch.testing.assert_close(networks[0].weight, networks[1].weight)
    torch.testing.assert_close(networks[0].bias, networks[1].bias)


def test_weight_average_equals_timms_after_n_steps():
    network = nx.build(nx.design("resnet-small"), 10).train()
    ours = WeightAverage(network, decay=0.9)
    timms = timm.utils.ModelEmaV3(network, decay=0.9)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    for step in range(6):
        images = torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(step))
        optimizer.zero_grad()
        network(images).square().mean().backward()
        optimizer.step()
        ours.update(network)
        timms.update(network)
    theirs = timms.module.state_dict()
    moved = 0
    for name, entry in ours.network.state_dict().items():
        torch.testing.assert_close(entry, theirs[name], rtol=1e-5, atol=1e-6, msg=name)
        moved += not torch.equal(entry, network.state_dict()[name])
    assert moved > 10


@given(steps=st.integers(1, 10**6))
def test_an_average_never_looks_back_further_than_a_tenth_of_the_run(steps):
    decay = effective_decay(0.9999, steps)
    assert 0 <= decay <= 0.9999
    assert decay == 0 or 1 / (1 - decay) <= steps / 10 * (1 + 1e-9)


@settings(max_examples=50)
@given(data=st.data())
def test_calibration_error_by_its_definition(data):
    confidence = data.draw(st.lists(st.floats(0.0078125, 1.0, width=32), min_size=1, max_size=40))
    correct = data.draw(st.lists(st.booleans(), min_size=len(confidence), max_size=len(confidence)))
    expected = 0.0
    for low in range(15):
        inside = [
            (c, k)
            for c, k in zip(confidence, correct, strict=True)
            if low / 15 < c <= (low + 1) / 15
        ]
        if inside:
            gap = sum(k for _, k in inside) / len(inside) - sum(c for c, _ in inside) / len(inside)
            expected += abs(gap) * len(inside) / len(confidence)
    found = calibration_error(torch.tensor(confidence), torch.tensor(correct))
    # A confidence on a bin's edge may be counted on either side after rounding to float32.
    edges = any(abs(c * 15 - round(c * 15)) < 1e-5 for c in confidence)
    assert edges or found == pytest.approx(expected, abs=1e-6)


def test_threads_are_set_for_as_long_as_they_are_used():
    before = torch.get_num_threads()
    with thread_count(before + 1):
        assert torch.get_num_threads() == before + 1
    with pytest.raises(ZeroDivisionError), thread_count(before + 1):
        raise ZeroDivisionError
    with thread_count(None):
        assert torch.get_num_threads() == before
    assert torch.get_num_threads() == before


@pytest.mark.parametrize(("cores", "gpus", "loaders"), [(16, 1, 16), (64, 1, 16), (16, 4, 4),
                                                        (2, 4, 1)])  # fmt: skip
def test_a_gpu_has_its_share_of_the_cores_to_decode(cores, gpus, loaders, monkeypatch):
    monkeypatch.setattr("nextify.training.machine.cores", lambda: cores)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    assert loaders_for("cuda:0") == loaders and loaders_for("cpu") == 2
