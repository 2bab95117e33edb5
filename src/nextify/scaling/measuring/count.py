"""Counts that owe nothing to the formulas: torch's own counter, what autograd keeps, what is alive.

All are exact and the same every time.
"""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from typing import Any
from weakref import finalize

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode, flop_registry

Seen = Callable[[Any, Any, Any], None]


@dataclass(frozen=True, slots=True)
class MacCount:
    """What torch's counter found.

    Attributes:
        macs: multiply-accumulates, with attention counted as its two matrix products.
        unseen: of these, what the counter misses as the module runs: it has no formula for the
            CPU's fused attention and would print zero.
    """

    macs: int
    unseen: int


def count_macs(module: nn.Module, x: Tensor) -> MacCount:
    """Multiply-accumulates of a forward pass, by torch's `FlopCounterMode`: FLOPs / 2.

    Counted as the module runs, and again with attention made of plain products; the second count
    is the answer, the difference is what the first had missed.

    >>> count_macs(nn.Linear(4, 4), torch.zeros(3, 4))
    MacCount(macs=48, unseen=0)

    Raises:
        RuntimeError: the counter sees nothing: a zero is never passed on.
    """
    seen = _counted(module, x)
    with sdpa_kernel(SDPBackend.MATH):  # shapes alone: plain products may not fit the memory
        macs = _counted(deepcopy(module).to("meta"), x.to("meta"))
    if macs == 0:
        raise RuntimeError(
            f"torch's counter sees no multiply-accumulate in {type(module).__name__}"
        )
    return MacCount(macs, macs - seen)


def _counted(module: nn.Module, x: Tensor) -> int:
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        module(x)
    flops: int = counter.get_total_flops()
    if flops % 2:
        raise RuntimeError(f"torch counts {flops} FLOPs, which is odd: they are not two a MAC")
    return flops // 2


def count_alive(module: nn.Module, x: Tensor) -> int:
    """Bytes of tensors alive at once at the peak of a forward pass, input and output included.

    Buffers inside an operator, as a convolution's reordered weights, are not tensors: the resident
    memory that `nextify.scaling.measuring.memory` measures has them too.

    >>> count_alive(nn.Linear(4, 4), torch.zeros(3, 4))
    96
    """
    return max(alive_after(module, x))


def alive_after(module: nn.Module, x: Tensor) -> list[int]:
    """Bytes of tensors alive after each operator of a forward pass, before its inputs are freed.

    >>> alive_after(nn.Sequential(nn.ReLU(), nn.ReLU()), torch.zeros(3, 4))
    [96, 144]
    """
    with torch.no_grad():
        return alive_during(lambda: module(x), x.untyped_storage().nbytes())


def alive_during(call: Callable[[], object], bytes_before: int) -> list[int]:
    """Bytes of tensors alive after each operator of a call, with those that were there before."""
    now, known = bytes_before, set[int]()
    after: list[int] = []

    def freed(key: int, size: int) -> None:
        nonlocal now
        known.discard(key)
        now -= size

    def seen(func: Any, given: Any, result: Any) -> None:
        nonlocal now
        before = {_key(tensor) for tensor in tensors_in(given)}
        for tensor in tensors_in(result):
            key = _key(tensor)
            if key not in before and key not in known:
                known.add(key)
                storage = tensor.untyped_storage()
                now += storage.nbytes()
                finalize(storage, freed, key, storage.nbytes())
        after.append(now)

    with Watch(seen):
        call()
    return after


def longest_chain(call: Callable[[], object]) -> int:
    """The longest chain of counted operators (products, convolutions) that wait for one another,
    of anything that is called, backward passes included: as it is executed.

    >>> x = torch.ones(2, 2, requires_grad=True)
    >>> longest_chain(lambda: (x @ x).sum().backward())
    2
    """
    depths: dict[int, int] = {}
    held: list[Tensor] = []  # so that no address is used twice

    def seen(func: Any, given: Any, result: Any) -> None:
        before = max((depths.get(_key(tensor), 0) for tensor in tensors_in(given)), default=0)
        depth = before + (func.overloadpacket in flop_registry)
        for tensor in tensors_in(result):
            held.append(tensor)
            depths[_key(tensor)] = max(depth, depths.get(_key(tensor), 0))

    with Watch(seen):
        call()
    return max(depths.values(), default=0)


class Watch(TorchDispatchMode):
    """Calls `begin` before each operator, and `seen` after it with what it was given (arguments
    and keywords) and its result."""

    def __init__(self, seen: Seen, begin: Callable[[], None] = lambda: None) -> None:
        super().__init__()
        self.seen, self.begin = seen, begin

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = (args, kwargs or {})
        self.begin()
        result = func(*args, **given[1])
        self.seen(func, given, result)
        return result


def tensors_in(tree: Any) -> list[Tensor]:
    """The tensors among arguments or results of an operator."""
    return [leaf for leaf in tree_leaves(tree) if isinstance(leaf, Tensor)]


def _key(tensor: Tensor) -> int:
    key: int = tensor.untyped_storage()._cdata
    return key
