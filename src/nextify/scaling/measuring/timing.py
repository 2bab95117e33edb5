"""Time, measured so that a busy machine disturbs little: interleaved rounds, the best of each."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from statistics import median
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import flop_registry

from nextify.machine.clock import Taken, steadier, taken
from nextify.scaling.measuring.count import Watch
from nextify.training.machine import keep_freed_memory, thread_count

Call = Callable[[], object]
_LEAST = 0.02  # seconds of a round for a call, so that short ones are repeated
_MOST = 1000  # calls of it: where a clock hardly goes on, they end all the same
# torch's counter has no formula for these two, but their time is that of the products inside.
_PRODUCTS = {
    *flop_registry,
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu,
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward,
}


@contextmanager
def prepared(threads: int | None) -> Iterator[None]:
    """Inside, so many of torch's threads (None: as they are); and from then on freed memory is used
    again: getting it from the system page by page would take longer than the arithmetic."""
    keep_freed_memory()
    with thread_count(threads):
        yield


def time_rounds(calls: Sequence[Call], rounds: int) -> list[list[float]]:
    """Seconds of each call in each round, see `take_rounds`."""
    return [[taken.seconds for taken in found] for found in take_rounds(calls, rounds)]


def take_rounds(calls: Sequence[Call], rounds: int) -> list[list[Taken]]:
    """What each call takes in each round.

    Rounds go through all calls in turn, so that a slow minute of the machine meets all of them. A
    call's time in a round is the best of several: whatever else runs can only add to it.
    """
    taken = [[shortest(call) for call in calls] for _ in range(rounds)]
    return [list(own) for own in zip(*taken, strict=True)]


def middle_and_ends(
    values: Sequence[float], names: Sequence[str] = ("seconds", "fastest", "slowest")
) -> dict[str, Any]:
    """The median, the least and the most, each under its name."""
    return dict(zip(names, (median(values), min(values), max(values)), strict=True))


def shortest(call: Call) -> Taken:
    """The shortest of at least two calls, repeated for a fiftieth of a second, at most 1000."""
    found: list[Taken] = []
    spent = 0.0
    while len(found) < 2 or (spent < _LEAST and len(found) < _MOST):
        found.append(taken(call))
        spent += found[-1].seconds
    return Taken(min(one.wall for one in found), min(one.processor for one in found))


def forward(module: nn.Module, x: Tensor, *, watched: bool = False) -> Call:
    """A forward pass without gradients; watched, in a mode that shows the products inside linear
    layers to those who follow operators (inference mode hides them)."""
    mode = torch.no_grad if watched else torch.inference_mode

    def call() -> None:
        with mode():
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


def product_seconds(call: Call) -> float:
    """Seconds of a call inside operators with multiply-accumulates; best of three."""
    now, start, spent = steadier(), 0.0, 0.0

    def begin() -> None:
        nonlocal start
        start = now()

    def seen(func: Any, given: Any, result: Any) -> None:
        nonlocal spent
        if func.overloadpacket in _PRODUCTS:
            spent += now() - start

    found = []
    for _ in range(3):
        spent = 0.0
        with Watch(seen, begin):
            call()
        found.append(spent)
    return min(found)


def bare_products(call: Call) -> Call:
    """The operators with multiply-accumulates of a call, by themselves: in the same order, on
    random operands of the same shapes and strides. Equal ones share theirs.

    >>> layer, x = nn.Linear(4, 4), torch.zeros(3, 4)
    >>> bare_products(forward(layer, x, watched=True))()  # one product, 3 x 4 by 4 x 4
    """
    with Recorder() as recorded:
        call()

    def bare() -> None:
        with torch.no_grad():
            for func, args, kwargs in recorded.products:
                func(*args, **kwargs)

    return bare


class Recorder(Watch):
    """Notes operators with multiply-accumulates, with operands of its own."""

    def __init__(self) -> None:
        super().__init__(self._note)
        self.products: list[tuple[Any, list[Any], dict[str, Any]]] = []
        self.operands: dict[tuple[Any, ...], Tensor] = {}
        self.draw = torch.Generator().manual_seed(0)

    def _note(self, func: Any, given: Any, result: Any) -> None:
        if func.overloadpacket in _PRODUCTS:
            args, kwargs = given
            own = [self._own(func, place, each) for place, each in enumerate(args)]
            self.products.append((func, own, kwargs))

    def _own(self, func: Any, place: int, given: Any) -> Any:
        """A random operand like the one given; what is no tensor is taken as it is."""
        if not isinstance(given, Tensor):
            return given
        key = (func, place, given.shape, given.stride())
        if key not in self.operands:
            reach = 1 + sum((n - 1) * step for n, step in zip(*key[2:], strict=True))
            values = torch.randn(reach, generator=self.draw)
            self.operands[key] = values.as_strided(*key[2:])
        return self.operands[key]
