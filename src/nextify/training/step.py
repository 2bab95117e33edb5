"""One update of the weights behind one call: eager, or captured once and then replayed.

`Update` is what a step computes, as the callables that it is made of. `Eager` calls it. `Captured`
does the same on buffers that stay where they are, so that a GPU can replay the whole step, with
optimiser, clipping and average, as one CUDA graph: a small network's step is hundreds of operators
of a few microseconds, and starting them one by one takes longer than they do.

What changes from step to step is in tensors, which are filled before each replay: images, targets,
the learning rate, and the random numbers of stochastic depth. Nothing waits for the device.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from nextify.network.modules import Draws, Source
from nextify.training.ema import WeightAverage
from nextify.training.optimizer import set_learning_rate
from nextify.training.replayed import WARM_UP, captured, side_stream


class Step(Protocol):
    """One update with a batch of images and soft targets; the loss, detached, on the device."""

    def __call__(self, images: Tensor, targets: Tensor) -> Tensor:
        """The loss: of shape (), or (S,) of a stack's copies."""
        ...


@dataclass(frozen=True, eq=False, kw_only=True)
class Update:
    """What a step is made of.

    Attributes:
        network, optimizer, average: what it changes.
        loss_of: of images and targets, the loss of shape (), or (S,) of copies that are summed.
        rate: the learning rate of the step that comes next.
        clip: clips the gradients of the network.
        generators: of stochastic depth, one for each copy. draw_from: lets the network's
            stochastic depth draw from so many sources in their place.
        parts: a batch goes through the network in so many, equally large.
    """

    network: nn.Module
    optimizer: torch.optim.Optimizer
    average: WeightAverage | None
    loss_of: Callable[[Tensor, Tensor], Tensor]
    rate: Callable[[], float]
    clip: Callable[[], None]
    generators: Sequence[torch.Generator]
    draw_from: Callable[[Sequence[Source]], None]
    parts: int = 1

    def __call__(self, images: Tensor, targets: Tensor) -> Tensor:
        """One step at the learning rate that the optimiser has."""
        loss = self._backward(images, targets)
        self.clip()
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        if self.average is not None:
            self.average.update(self.network)
        return loss

    def _backward(self, images: Tensor, targets: Tensor) -> Tensor:
        """Add up the gradients of a batch's mean loss, part by part; the loss."""
        losses = []
        for some in zip(images.chunk(self.parts), targets.chunk(self.parts), strict=True):
            loss = self.loss_of(*some)
            if self.parts > 1:
                loss = loss * (len(some[0]) / len(images))
            loss.sum().backward()  # type: ignore[no-untyped-call]
            losses.append(loss.detach())
        return losses[0] if len(losses) == 1 else torch.stack(losses).sum(0)

    def state(self) -> list[Tensor]:
        """The tensors that a step changes, as far as they are there: those of the optimiser come
        with its first step."""
        networks = [self.network] + ([] if self.average is None else [self.average.network])
        found = [entry for each in networks for entry in (*each.parameters(), *each.buffers())]
        kept = [entry for of in self.optimizer.state.values() for entry in of.values()]
        return found + [entry for entry in kept if isinstance(entry, Tensor)]


class Eager:
    """The reference: one operator after another."""

    def __init__(self, update: Update) -> None:
        self.update = update

    def __call__(self, images: Tensor, targets: Tensor) -> Tensor:
        set_learning_rate(self.update.optimizer, self.update.rate())
        return self.update(images, targets)


class Captured:
    """The same step in buffers that stay where they are, replayed as a CUDA graph.

    All batches have the shape of the first, with which the graph is captured; whatever is restored
    from a checkpoint is restored before. The state is then as it was before the capture, but for
    entries of the optimiser that its first step would have made: these are there, and zero, from
    which the first step gives the same. Without a `graph` the same code runs operator by operator.

    A graph and its memory live as long as this object: whoever trained lets go of it.
    """

    def __init__(self, update: Update, *, graph: bool = True) -> None:
        self.update = update
        self._draws = [Draws(generator) for generator in update.generators]
        self._captures = graph
        self._graph: torch.cuda.CUDAGraph | None = None
        self._inputs: tuple[Tensor, Tensor] | None = None

    def __call__(self, images: Tensor, targets: Tensor) -> Tensor:
        if self._inputs is None:
            self._prepare(images, targets)
        assert self._inputs is not None
        for buffer, given in zip(self._inputs, (images, targets), strict=True):
            assert buffer.shape == given.shape, "all batches have one shape"
            buffer.copy_(given, non_blocking=True)
        rate = self.update.rate()
        set_learning_rate(self.update.optimizer, rate)
        self._rate.fill_(rate)
        for each in self._draws:
            each.refill()
        if self._graph is None:
            return self._update()
        self._graph.replay()
        return self._loss.clone()

    def _prepare(self, images: Tensor, targets: Tensor) -> None:
        device = images.device
        groups = self.update.optimizer.param_groups
        self._inputs = images.detach().clone(), targets.detach().clone()
        self._rate = torch.zeros((), dtype=torch.float64, device=device)
        scales = [group["lr_scale"] for group in groups]
        self._scales = torch.tensor(scales, dtype=torch.float64, device=device)
        if not self._captures:
            self._warm_up(1)
            return
        with torch.cuda.device(device):
            # Gradients are added up in the stream in which they first were: one for both.
            stream = side_stream(device)
            stream.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(stream):
                self._warm_up(WARM_UP)
            torch.cuda.synchronize()
            self._graph = torch.cuda.CUDAGraph()
            with self._capturable(), captured(self._graph, stream):
                self._loss = self._update()

    def _warm_up(self, steps: int) -> None:
        """Some steps, and the state from before them."""
        before = self.update.state()
        values = [entry.detach().clone() for entry in before]
        for _ in range(steps):
            self._update()
            for each in self._draws:
                each.counted()
        known = {id(entry) for entry in before}
        with torch.no_grad():
            for entry, value in zip(before, values, strict=True):
                entry.copy_(value)
            for entry in self.update.state():
                if id(entry) not in known:
                    entry.zero_()

    def _update(self) -> Tensor:
        """The step, with learning rates and random numbers from tensors."""
        assert self._inputs is not None
        with self._from_tensors():
            return self.update(*self._inputs)

    @contextmanager
    def _from_tensors(self) -> Iterator[None]:
        """Inside, the optimiser and stochastic depth read tensors; outside the optimiser has
        numbers, which is what a checkpoint keeps, and each module its generator."""
        groups = self.update.optimizer.param_groups
        numbers = [group["lr"] for group in groups]
        rates = self._rate * self._scales
        if rates.is_cuda:  # its fused operators read float32, a CPU's what they are given
            rates = rates.float()
        for group, rate in zip(groups, rates.unbind(), strict=True):
            group["lr"] = rate
        for each in self._draws:
            each.begin()
        self.update.draw_from(self._draws)
        try:
            yield
        finally:
            self.update.draw_from(self.update.generators)
            for group, number in zip(groups, numbers, strict=True):
                group["lr"] = number

    @contextmanager
    def _capturable(self) -> Iterator[None]:
        """Inside, the optimiser knows that it may be captured: torch asks those that it checks."""
        groups = [g for g in self.update.optimizer.param_groups if "capturable" in g]
        for group in groups:
            group["capturable"] = True
        try:
            yield
        finally:
            for group in groups:
                group["capturable"] = False
