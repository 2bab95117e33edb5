"""Time, measured so that a busy machine disturbs little: interleaved rounds, the best of each."""

from collections.abc import Callable, Sequence
from time import perf_counter, process_time
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

Call = Callable[[], object]
_LEAST = 0.02  # seconds of a round for a call, so that short ones are repeated
# torch's counter has no formula for it, but its time is that of the products inside.
_PRODUCTS = {*flop_registry, torch.ops.aten._scaled_dot_product_flash_attention_for_cpu}


def time_rounds(calls: Sequence[Call], rounds: int) -> list[list[float]]:
    """Seconds of each call in each round.

    Rounds go through all calls in turn, so that a slow minute of the machine meets all of them. A
    call's time in a round is the best of several: whatever else runs can only add to it.
    """
    seconds: list[list[float]] = [[] for _ in calls]
    for _ in range(rounds):
        for found, call in zip(seconds, calls, strict=True):
            found.append(best(call))
    return seconds


def clock() -> Callable[[], float]:
    """What to measure with: processor time where torch has one thread, which other programs do not
    add to; else the wall clock, for processor time would add the threads up."""
    return process_time if torch.get_num_threads() == 1 else perf_counter


def best(call: Call, least: float = _LEAST) -> float:
    """The shortest of at least two calls, repeated for a fiftieth of a second."""
    now = clock()
    shortest, spent, count = float("inf"), 0.0, 0
    while count < 2 or spent < least:
        start = now()
        call()
        seconds = now() - start
        shortest, spent, count = min(shortest, seconds), spent + seconds, count + 1
    return shortest


def forward(module: nn.Module, x: Tensor) -> Call:
    """A forward pass without gradients."""

    def call() -> None:
        with torch.inference_mode():
            module(x)

    return call


def training_step(module: nn.Module, x: Tensor) -> Call:
    """Forward and backward, with gradients of the input and of all weights."""
    leaf = x.detach().requires_grad_()
    upstream = torch.ones_like(x)

    def call() -> None:
        with torch.enable_grad():
            module(leaf).backward(upstream)
        leaf.grad = None
        module.zero_grad(set_to_none=True)

    return call


def product_seconds(module: nn.Module, x: Tensor) -> float:
    """Seconds of a forward pass inside operators with multiply-accumulates; best of three."""
    return min(_inside(module, x) for _ in range(3))


def _inside(module: nn.Module, x: Tensor) -> float:
    with torch.no_grad(), _Clock() as clock:
        module(x)
    seconds: float = clock.seconds
    return seconds


class _Clock(TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()
        self.seconds = 0.0
        self.now = clock()

    def __torch_dispatch__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        start = self.now()
        result = func(*args, **(kwargs or {}))
        if func.overloadpacket in _PRODUCTS:
            self.seconds += self.now() - start
        return result
