"""A stack computes what its copies would by themselves, and no copy knows of the others."""

from dataclasses import replace
from random import Random

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

import nextify as nx
from nextify.designs import PATHS, Design, recipe
from nextify.errors import InputError
from nextify.network import Network, Stack, build, copy_of, stack_of
from nextify.network.modules import ResidualBlock
from nextify.network.stack import StackedConv2d, stacked, unstacked
from nextify.training.optimizer import layer_groups, parameter_groups

SMALL = PATHS["small"]
NEEDS_GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
STEPS = {step.name: step.design for step in SMALL.all_steps()}
OTHERS = {
    "basic blocks": nx.design("resnet18"),
    "response norm": nx.design("convnextv2-atto", norms="every", activations="every"),
    "a stem for small images": Design(stem_stride=1, norm="layer", downsampling="separate"),
    "isotropic": replace(SMALL.end, depths=(1,), widths=(8,), stem_stride=16),
}


def tiny(design: Design) -> Design:
    """As the design, but for its sizes."""
    stages = min(2, len(design.depths))
    return replace(design, depths=(1, 2)[-stages:], widths=(3, 4)[-stages:])


def subset(number: int) -> Design:
    """One of the small path's, with any of its choices made, at any stem stride."""
    draw = Random(number)
    chosen = [at for at in range(len(SMALL.choices)) if draw.random() < 0.5]
    stride = draw.choice((4, 2, 1))
    return tiny(SMALL.with_design_fields({"stem_stride": stride}).subset(chosen))


def stack_and_copies(design: Design, copies: int, drop: float = 0.0) -> tuple[Stack, list[Network]]:
    """With random numbers in every entry, so that norms and biases count."""
    each = [build(design, 5, seed=seed, stochastic_depth=drop) for seed in range(copies)]
    generator = torch.Generator().manual_seed(0)
    for network in each:
        for entry in network.parameters():
            entry.data += 0.2 * torch.randn(entry.shape, generator=generator)
    return stack_of(each, drop), each


def random_images(copies: int, size: int, count: int = 4, **options) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(count, 3 * copies, size, size, generator=generator).to(**options)


def answers(network: nn.Module, images: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
    """Logits, and the gradients of a loss that is summed over copies."""
    logits = network(images)
    each = logits.view(len(images), -1, 5).movedim(-1, 1)  # (N, classes, S)
    wanted = torch.arange(len(images), device=images.device) % 5
    F.cross_entropy(each, wanted[:, None].expand(-1, each.shape[2]), reduction="sum").backward()
    return logits.detach(), {name: p.grad for name, p in network.named_parameters()}


def error(found: Tensor, expected: Tensor) -> float:
    return ((found - expected).norm() / expected.norm().clamp(min=1e-30)).item()


def whole(gradients: dict[str, Tensor]) -> Tensor:
    return torch.cat([gradient.flatten() for gradient in gradients.values()])


def require_equal(stack: Stack, each: list[Network], images: Tensor, limit: float) -> None:
    logits, gradients = answers(stack, images)
    assert logits.shape == (len(images), len(each), 5)
    apart = unstacked(gradients, len(each))
    for at, network in enumerate(each):
        own, own_gradients = answers(network, images[:, 3 * at : 3 * at + 3])
        assert error(logits[:, at], own) < limit
        assert error(whole(apart[at]), whole(own_gradients)) < limit
    for name, entry in stacked([network.state_dict() for network in each]).items():
        torch.testing.assert_close(stack.state_dict()[name], entry)  # statistics, too


@pytest.mark.parametrize("copies", [1, 2, 5])
@pytest.mark.parametrize("name", [*STEPS, *OTHERS])
def test_a_stack_is_its_copies(name, copies):
    design = tiny({**STEPS, **OTHERS}[name])
    stack, each = stack_and_copies(design, copies)
    require_equal(stack.double(), [n.double() for n in each],
                  random_images(copies, 17, dtype=torch.float64), 1e-11)  # fmt: skip


@pytest.mark.parametrize("number", range(50))
def test_any_choices_stack(number):
    copies = (1, 2, 5)[number % 3]
    stack, each = stack_and_copies(subset(number), copies)
    require_equal(stack.double(), [n.double() for n in each],
                  random_images(copies, 16, dtype=torch.float64), 1e-11)  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("copies", [1, 2, 5])
@pytest.mark.parametrize("name", STEPS)
def test_a_stack_is_its_copies_in_float32_at_full_size(name, copies):
    each = [build(STEPS[name], 5, seed=seed) for seed in range(copies)]
    require_equal(stack_of(each), each, random_images(copies, 28, 16), 1e-5)


@pytest.mark.parametrize(
    "form",
    [(1, 1, 0), (1, 2, 0), (2, 2, 0), (4, 4, 0), (3, 1, 1), (3, 2, 1), (7, 2, 3), (7, 1, 3)],
    ids=str,
)
@pytest.mark.parametrize("last", [True, False])
def test_a_stacked_convolution_is_a_grouped_one(form, last):
    ours = StackedConv2d(3 * 2, 3 * 4, *form, groups=3).double()
    theirs = nn.Conv2d(3 * 2, 3 * 4, *form, groups=3).double()
    ours.load_state_dict(theirs.state_dict())
    found = []
    for module in (ours, theirs):
        x = random_images(2, 11, 2, dtype=torch.float64)[:, :, 2:]
        x = x.contiguous(memory_format=torch.channels_last) if last else x
        y = module(x.requires_grad_())
        y.square().sum().backward()
        found.append([y, x.grad, *(p.grad for p in module.parameters())])
    torch.testing.assert_close(*found)


def test_copies_start_as_single_networks_do_and_come_back():
    stack = build(nx.design("convnext-mini"), 10, seed=4, copies=3, stochastic_depth=0.1)
    assert isinstance(stack, Stack) and stack.training
    for at in range(3):
        single = build(nx.design("convnext-mini"), 10, seed=4 + at).state_dict()
        back = copy_of(stack, at)
        assert back.blueprint == stack.blueprint
        assert back.state_dict().keys() == single.keys()
        for name, entry in single.items():
            there = back.state_dict()[name]
            assert torch.equal(there, entry) and there.stride() == entry.stride(), name
    again = stack_of([copy_of(stack, at) for at in range(3)])
    for name, entry in stack.state_dict().items():
        assert torch.equal(entry, again.state_dict()[name]), name
    back.stem.conv.weight.data.zero_()
    assert stack.stem.conv.weight.abs().sum() > 0


def test_stacks_can_be_built_without_memory():
    stack = build(SMALL.start, 10, copies=4, device="meta")
    assert stack(torch.empty(2, 12, 28, 28, device="meta")).shape == (2, 4, 10)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("design", [SMALL.start, SMALL.end, OTHERS["response norm"]])
def test_what_is_not_finite_stays_in_its_copy(design, value):
    stack, _ = stack_and_copies(tiny(design), 3)
    images = random_images(3, 16)
    logits, gradients = answers(stack, images)
    gradients = {name: gradient.clone() for name, gradient in gradients.items()}
    stack.zero_grad()
    for entry in stack.parameters():
        entry.data.chunk(3)[1].fill_(value)
    poisoned, others = answers(stack, images)
    assert not poisoned[:, 1].isfinite().any()
    for at in (0, 2):
        assert torch.equal(poisoned[:, at], logits[:, at])
        for name, gradient in gradients.items():
            assert torch.equal(others[name].chunk(3)[at], gradient.chunk(3)[at]), name


def test_each_copy_drops_what_a_single_network_would():
    design = replace(tiny(SMALL.end), depths=(2, 3))
    stack, each = stack_and_copies(design, 2, drop=0.6)
    stack.use_generators([torch.Generator().manual_seed(seed) for seed in (7, 8)])
    for seed, network in zip((7, 8), each, strict=True):
        network.use_generator(torch.Generator().manual_seed(seed))
    images = random_images(2, 16, count=16, dtype=torch.float64)
    require_equal(stack.double(), [n.double() for n in each], images, 1e-11)
    stack.eval()
    assert torch.equal(stack(images), stack(images))


def test_transformers_are_not_stacked():
    with pytest.raises(InputError, match=r"many networks as one .* transformer"):
        build(nx.design("vit-mini"), 10, copies=2)
    with pytest.raises(InputError, match="copies is 0"):
        build(SMALL.end, 10, copies=0)


@pytest.mark.parametrize("name", ["modern", "classic"])
def test_the_same_parameters_decay_at_the_same_scale(name):
    """With weight decay, without, and in each group of layers."""
    of = recipe(name, layer_decay=0.5)
    groups = []
    for network in (build(SMALL.end, 10, device="meta"), build(SMALL.end, 10, copies=3,
                                                               device="meta")):  # fmt: skip
        names = {p: name for name, p in network.named_parameters()}
        groups.append([
            ([names[p] for p in group["params"]], group["weight_decay"], group["lr_scale"])
            for group in parameter_groups(network, of)
        ])  # fmt: skip
        assert len(layer_groups(network)) == 5
    assert groups[0] == groups[1]


class Copying(TorchDispatchMode):
    """Keeps the sizes of what is copied from one layout to another."""

    def __init__(self) -> None:
        super().__init__()
        self.copied: list[tuple[str, int]] = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = func._schema.name.removeprefix("aten::")
        if name in ("clone", "copy_", "contiguous", "constant_pad_nd"):
            self.copied.append((name, args[0].numel()))
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("name", ["layer scale", "fewer norms"])
def test_a_depthwise_block_copies_no_map(name):
    """Forward and backward, with a kernel that torch's own operators serve on a CPU, too."""
    design = replace(STEPS[name], kernel_size=3)
    stack = build(design, 10, copies=4, stochastic_depth=0.5).train()
    block = stack.stages[1][1][-1]
    x = torch.zeros(4, block.branch[0].in_channels, 6, 6).to(memory_format=torch.channels_last)
    with Copying() as copying:
        y = block(x.requires_grad_())
        y.backward(torch.empty_like(y))
    assert y.is_contiguous(memory_format=torch.channels_last)
    assert not [copy for copy in copying.copied if copy[1] >= x.numel()]


@pytest.mark.parametrize("design", [SMALL.start, SMALL.end], ids=["start", "end"])
def test_maps_and_their_gradients_stay_channels_last(design):
    stack = build(design, 5, copies=3).train()
    strides: list[tuple[bool, str]] = []

    def see(module: nn.Module, inputs: tuple[Tensor, ...], y: Tensor) -> None:
        last = {"memory_format": torch.channels_last}
        strides.append((y.is_contiguous(**last), "map"))
        y.register_hook(lambda grad: strides.append((grad.is_contiguous(**last), "gradient")))

    for module in stack.modules():
        if isinstance(module, ResidualBlock):
            module.register_forward_hook(see)
    answers(stack, random_images(3, 28))
    assert len(strides) == 2 * sum(design.depths) and all(last for last, _ in strides), strides


@pytest.mark.gpu
@NEEDS_GPU
@pytest.mark.parametrize("name", STEPS)
def test_a_stack_is_its_copies_on_a_gpu(name):
    """In float64: in float32 a batch norm of 16 values can turn rounding into per cents."""
    each = [build(STEPS[name], 5, seed=seed, device="cuda").double() for seed in range(3)]
    images = random_images(3, 28, 16, device="cuda", dtype=torch.float64)
    require_equal(stack_of(each), each, images, 1e-9)


@pytest.mark.gpu
@NEEDS_GPU
@pytest.mark.parametrize("name", ["small ResNet", "layer scale"])
def test_a_stack_is_its_copies_in_mixed_precision(name):
    each = [build(STEPS[name], 5, seed=seed, device="cuda") for seed in range(3)]
    stack, images = stack_of(each), random_images(3, 28, 64, device="cuda")
    with torch.autocast("cuda", torch.bfloat16):
        logits, gradients = answers(stack, images)
        apart = unstacked(gradients, 3)
        for at, network in enumerate(each):
            own, own_gradients = answers(network, images[:, 3 * at : 3 * at + 3])
            assert error(logits[:, at].float(), own.float()) < 0.03
            assert error(whole(apart[at]), whole(own_gradients)) < 0.15
