"""Costs of transformers: against torchvision's published ones, torch's counter, what autograd
keeps, and a simulation of what is alive."""

from typing import Any

import pytest
import torch
import torchvision
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

import nextify as nx
from costs.test_bytes import kept_by_autograd, plain
from nextify.blueprint import draw
from nextify.costs import totals
from nextify.designs import Swin, Vit
from nextify.designs.families import TRANSFORMERS
from nextify.network import assemble
from nextify.scaling.measuring.count import count_macs
from random_transformers import swins, vits

PUBLISHED = {
    "vit-b-16": torchvision.models.ViT_B_16_Weights.IMAGENET1K_V1,
    "vit-b-32": torchvision.models.ViT_B_32_Weights.IMAGENET1K_V1,
    "vit-l-16": torchvision.models.ViT_L_16_Weights.IMAGENET1K_V1,
    "vit-l-32": torchvision.models.ViT_L_32_Weights.IMAGENET1K_V1,
    "vit-h-14": torchvision.models.ViT_H_14_Weights.IMAGENET1K_SWAG_LINEAR_V1,
    "swin-t": torchvision.models.Swin_T_Weights.IMAGENET1K_V1,
    "swin-s": torchvision.models.Swin_S_Weights.IMAGENET1K_V1,
    "swin-b": torchvision.models.Swin_B_Weights.IMAGENET1K_V1,
}
LARGER = {
    ("vit-b-16", 384): torchvision.models.ViT_B_16_Weights.IMAGENET1K_SWAG_E2E_V1,
    ("vit-l-16", 512): torchvision.models.ViT_L_16_Weights.IMAGENET1K_SWAG_E2E_V1,
    ("vit-h-14", 518): torchvision.models.ViT_H_14_Weights.IMAGENET1K_SWAG_E2E_V1,
}


@pytest.mark.parametrize(
    ("name", "size", "weights"),
    [*((n, 224, w) for n, w in PUBLISHED.items()), *((n, s, w) for (n, s), w in LARGER.items())],
)
def test_parameters_and_macs_are_those_that_torchvision_publishes(name, size, weights):
    counted = nx.cost(nx.design(name), size)
    assert counted.params == weights.meta["num_params"]
    assert round(counted.macs / 1e9, 3) == weights.meta["_ops"]


def test_the_papers_figures():
    """ViT-B/16: 17.6 G (arXiv 2012.12877, table 5); Swin-T: 4.5 G, 29 M (2103.14030, table 1);
    DeiT-S: 22 M (2012.12877, table 1), 4.6 G."""
    rounded = {n: round(nx.cost(nx.design(n)).macs / 1e9, 1) for n in TRANSFORMERS}
    assert (rounded["vit-b-16"], rounded["swin-t"], rounded["vit-s-16"]) == (17.6, 4.5, 4.6)
    assert round(nx.cost(nx.design("vit-s-16")).params / 1e6) == 22


@pytest.mark.parametrize("name", ["vit-mini", "swin-mini"])
def test_mini_designs_cost_about_as_much_as_the_convolutional_one(name):
    macs = nx.cost(nx.design("convnext-mini"), 32, 10).macs
    assert nx.cost(nx.design(name), 32, 10).macs == pytest.approx(macs, rel=0.15)


def assert_counted(design: Vit | Swin, size: tuple[int, int], classes: int) -> None:
    """By torch's counter, on shapes alone."""
    counted = nx.cost(design, size, classes)
    network = assemble(draw(design, classes, size)).eval()
    assert sum(p.numel() for p in network.parameters()) == counted.params
    # Of fused attention the counter knows nothing: it is made of plain products here.
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH), torch.no_grad():
        logits = network(torch.empty(1, 3, *size, device="meta"))
    assert logits.shape == (1, classes)
    assert counter.get_total_flops() == counted.flops == 2 * counted.macs
    assert totals(design, size, classes) == (counted.params, counted.macs, counted.training_bytes)


@settings(max_examples=15, deadline=None)
@given(case=vits(), classes=st.integers(1, 50))
def test_macs_of_random_vits(case, classes):
    assert_counted(*case, classes)


@settings(max_examples=20, deadline=None)
@given(case=swins(), classes=st.integers(1, 50))
def test_macs_of_random_swins(case, classes):
    assert_counted(*case, classes)


def test_the_counter_misses_fused_attention_and_the_count_does_not():
    design = nx.design("vit-mini")
    network = nx.build(design, 10, image_size=32).eval()
    found = count_macs(network, torch.zeros(1, 3, 32, 32))
    cores = [part.macs for part in nx.cost(design, 32, 10).layers if part.name.endswith("core")]
    assert found.unseen == sum(cores) == 4 * 2 * 65**2 * 24


@settings(max_examples=30, deadline=None)
@given(case=st.one_of(vits(), swins()), batch=st.integers(2, 3))
def test_training_bytes_are_exactly_what_autograd_keeps(case, batch):
    design, size = case
    network = plain(nx.build(design, 10, image_size=size).train())
    kept = kept_by_autograd(network, torch.zeros(batch, 3, *size))
    assert kept == batch * nx.cost(design, size, 10).training_bytes


class Trace(TorchDispatchMode):
    """Which operator reads and writes which memory; weights left out."""

    def __init__(self, own: list[Tensor]) -> None:
        super().__init__()
        self.own = {tensor.untyped_storage()._cdata for tensor in own}
        self.steps: list[tuple[set[int], set[int]]] = []
        self.sizes: dict[int, int] = {}
        self.held: list[Tensor] = []  # so that no address is used twice

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        is_read = func is not torch.ops.aten.new_zeros.default  # which asks for a type alone
        self.steps.append((self.note((args, kwargs)) if is_read else set(), self.note(result)))
        return result

    def note(self, tree: Any) -> set[int]:
        found = set()
        for tensor in tree_leaves(tree):
            if isinstance(tensor, Tensor) and tensor.untyped_storage()._cdata not in self.own:
                key = tensor.untyped_storage()._cdata
                self.held.append(tensor)
                self.sizes[key] = tensor.untyped_storage().nbytes()
                found.add(key)
        return found

    def most_alive(self) -> int:
        """Bytes alive at once: each from the step that writes it to the last that reads it."""
        first: dict[int, int] = {}
        last: dict[int, int] = {}
        for at, (inputs, outputs) in enumerate(self.steps):
            for key in inputs | outputs:
                first.setdefault(key, at)
            for key in inputs:
                last[key] = at
        return max(
            sum(
                size
                for key, size in self.sizes.items()
                if first[key] <= at <= max(last.get(key, -1), first[key])
            )
            for at in range(len(self.steps))
        )


def traced(design: Vit | Swin, size: tuple[int, int]) -> int:
    network = nx.build(design, 10, image_size=size).eval()
    image = torch.zeros(1, 3, *size).contiguous(memory_format=torch.channels_last)
    with torch.no_grad(), Trace([*network.parameters(), *network.buffers()]) as trace:
        network(image)
    return trace.most_alive()


@settings(max_examples=15, deadline=None)
@given(case=vits())
def test_inference_bytes_of_random_vits(case):
    design, size = case
    assert nx.cost(design, size, 10).inference_bytes == traced(design, size)


@settings(max_examples=20, deadline=None)
@given(case=swins(least_heads=2))
def test_inference_bytes_of_random_swins(case):
    design, size = case
    assert nx.cost(design, size, 10).inference_bytes == traced(design, size)


@settings(max_examples=30, deadline=None)
@given(case=st.one_of(vits(), swins()), width=st.integers(1, 4))
def test_parts_sum_to_the_whole(case, width):
    counted = nx.cost(*case, 10, width)
    for parts in (counted.sections, counted.layers):
        for amount in ("params", "macs", "training_bytes", "moved_bytes"):
            assert sum(getattr(p, amount) for p in parts) == getattr(counted, amount)
        assert max(part.inference_bytes for part in parts) == counted.inference_bytes


@pytest.mark.parametrize(
    ("design", "size", "message"),
    [
        (Vit(), 100, "no multiple of a ViT's patch_size=16; use images of 96 pixels, or "
                     "patch_size=10"),
        (Vit(), 7, "use images of 16 pixels, or patch_size=7"),
        (Swin(), 3, "images of 3 pixels are smaller than this Swin's patch_size=4"),
        (Vit(), 0, "it must be at least 1 pixel"),
    ],
)  # fmt: skip
def test_images_that_do_not_fit_are_refused_with_what_would(design, size, message):
    with pytest.raises(nx.InputError, match=message):
        nx.cost(design, size)
    with pytest.raises(nx.InputError, match=message):
        nx.build(design, 10, image_size=size)
