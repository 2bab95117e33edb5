"""Bytes of activations and moves: against what autograd keeps, against a simulation of what is
alive, and by hand."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

import nextify as nx
from nextify.blueprint import draw
from nextify.blueprint.specs import Block, Layers, Norm
from nextify.designs import FAMILIES, Design
from nextify.network.modules import ResidualBlock
from strategies import subsets_of


def kept_by_autograd(network: nn.Module, images: Tensor) -> int:
    """Bytes of the distinct tensors that autograd saves, but for parameters and buffers."""
    own = {t.untyped_storage().data_ptr() for t in (*network.parameters(), *network.buffers())}
    kept: dict[int, Tensor] = {}  # holding them, so that no address is used twice

    def note(saved: Tensor) -> Tensor:
        if saved.untyped_storage().data_ptr() not in own:
            kept[saved.untyped_storage().data_ptr()] = saved
        return saved

    with torch.autograd.graph.saved_tensors_hooks(note, lambda saved: saved):
        network(images)
    return sum(tensor.untyped_storage().nbytes() for tensor in kept.values())


def plain(network: nn.Module) -> nn.Module:
    """With torch's own operators in place of those that are faster on a CPU."""
    for module in network.modules():
        for kind in (nn.Conv2d, nn.GELU):
            if isinstance(module, kind):
                module.__class__ = kind
    return network


def norms(layers: Layers) -> Iterator[Norm]:
    for _, layer in layers:
        if isinstance(layer, Block):
            for inside in (layer.branch, layer.shortcut, layer.after):
                yield from norms(inside)
        elif isinstance(layer, Norm):
            yield layer


def expected(design: Design, size: tuple[int, int], batch: int) -> int:
    """The count for a batch: all grows with it but the statistics of batch norms."""
    every = [norm for _, layers in draw(design, 10).sections() for norm in norms(layers)]
    once = sum(8 * norm.channels for norm in every if norm.kind == "batch")
    return batch * nx.cost(design, size, 10).training_bytes - (batch - 1) * once


def narrow(design: Design, by: int = 8) -> Design:
    return replace(design, widths=tuple(max(1, width // by) for width in design.widths))


@pytest.mark.parametrize(
    "name", ["resnet-18", "resnet-50", "convnext-tiny", "convnextv2-atto", "convnext-iso-small"]
)
def test_training_bytes_are_exactly_what_autograd_keeps(name):
    design = narrow(FAMILIES[name])
    network = plain(nx.build(design, 10).train())
    for batch, size in ((2, (64, 64)), (3, (70, 52))):
        kept = kept_by_autograd(network, torch.zeros(batch, 3, *size))
        assert kept == expected(design, size, batch)


@pytest.mark.parametrize("name", ["resnet50", "small"])
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_training_bytes_of_random_subsets(name, data):
    kernel = data.draw(st.sampled_from((1, 3, 5, 7)))
    design = replace(narrow(data.draw(subsets_of(name))), kernel_size=kernel)
    size = (data.draw(st.integers(33, 64)), data.draw(st.integers(33, 64)))
    network = plain(nx.build(design, 10).train())
    assert kept_by_autograd(network, torch.zeros(2, 3, *size)) == expected(design, size, 2)


@pytest.mark.parametrize("name", ["resnet-50", "convnext-tiny", "convnextv2-atto"])
def test_training_bytes_of_the_network_as_it_is_built(name):
    """With the faster operators of a CPU, which keep copies of some inputs instead."""
    design = narrow(FAMILIES[name], 4)
    kept = kept_by_autograd(nx.build(design, 10).train(), torch.zeros(2, 3, 64, 64))
    assert kept == pytest.approx(expected(design, (64, 64), 2), rel=0.05)


class Trace:
    """Runs a network, and notes which module reads and writes which map."""

    def __init__(self) -> None:
        self.maps: list[Tensor] = []  # all are held, so that each is itself
        self.steps: list[tuple[list[int], int]] = []

    def index(self, tensor: Tensor) -> int:
        for at, known in enumerate(self.maps):
            if known is tensor:
                return at
        self.maps.append(tensor)
        return len(self.maps) - 1

    def note(self, output: Tensor, *inputs: Tensor) -> Tensor:
        self.steps.append(([self.index(tensor) for tensor in inputs], self.index(output)))
        return output

    def run(self, module: nn.Module, x: Tensor) -> Tensor:
        if isinstance(module, ResidualBlock):
            aside, y = self.run(module.shortcut, x), self.run(module.branch, x)
            return self.run(module.after, self.note(aside + y, aside, y))
        children = list(module.children())
        for child in children:
            x = self.run(child, x)
        return x if children or isinstance(module, nn.Sequential) else self.note(module(x), x)

    def most_alive(self) -> int:
        """Values alive at once: each map from the step that writes it to the last that reads it."""
        last = {at: step for step, (inputs, _) in enumerate(self.steps) for at in inputs}
        first: dict[int, int] = {}
        for step, (_, output) in enumerate(self.steps):
            first.setdefault(output, step)
        return max(
            sum(
                tensor.numel()
                for at, tensor in enumerate(self.maps)
                if first.get(at, 0) <= step <= last.get(at, len(self.steps))
            )
            for step in range(len(self.steps))
        )


@pytest.mark.parametrize("name", ["resnet50", "small"])
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_inference_bytes_are_the_peak_of_maps_that_are_still_to_be_read(name, data):
    design = narrow(data.draw(subsets_of(name)))
    size = (data.draw(st.integers(33, 64)), data.draw(st.integers(33, 64)))
    network = plain(nx.build(design, 10).eval())
    trace = Trace()
    with torch.no_grad():
        trace.run(network, torch.zeros(1, 3, *size).contiguous(memory_format=torch.channels_last))
    assert nx.cost(design, size, 10).inference_bytes == 4 * trace.most_alive()


def test_bytes_by_hand():
    counted = nx.cost(nx.design("convnext-tiny"))
    by_name = {layer.name: layer for layer in counted.layers}
    spot = 56 * 56 * 4  # bytes of a channel in stage 1
    wide = by_name["stages.0.blocks.0.branch.pointwise2"]
    assert wide.moved_bytes == (384 + 96) * spot + (384 * 96 + 96) * 4
    assert wide.inference_bytes == (384 + 96 + 96) * spot  # and the block's input
    assert wide.training_bytes == 384 * spot
    gelu = by_name["stages.0.blocks.0.branch.act"]
    assert gelu.inference_bytes == counted.inference_bytes == (384 + 384 + 96) * spot
    add = by_name["stages.0.blocks.0.add"]
    assert (add.params, add.macs, add.training_bytes) == (0, 0, 0)
    assert add.moved_bytes == add.inference_bytes == 3 * 96 * spot


@settings(max_examples=50, deadline=None)
@given(design=subsets_of("small"), size=st.integers(32, 64), width=st.integers(1, 8))
def test_parts_sum_to_the_whole_in_bytes(design, size, width):
    counted = nx.cost(design, size, 10, width)
    for parts in (counted.sections, counted.layers):
        assert sum(part.training_bytes for part in parts) == counted.training_bytes
        assert sum(part.moved_bytes for part in parts) == counted.moved_bytes
        assert max(part.inference_bytes for part in parts) == counted.inference_bytes
    one = nx.cost(design, size, 10, 1)
    assert counted.inference_bytes == width * one.inference_bytes
    assert counted.moved_bytes == width * one.moved_bytes


def test_bytes_per_value_must_be_positive():
    with pytest.raises(nx.InputError, match="bytes_per_value is 0; it must be at least 1"):
        nx.cost(Design(), bytes_per_value=0)
    with pytest.raises(nx.InputError, match=r"bytes_per_value is 1\.5; it must be a whole number"):
        nx.cost(Design(), bytes_per_value=1.5)
