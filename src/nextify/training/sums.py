"""Gradients summed over the processes of a run, while the backward pass goes on.

Not torch's `DistributedDataParallel`: that puts its buckets in another order after the first step,
in which gradients came; more than two processes then add the same numbers in another order, and the
first step after a resume would not give the bits that it gave without one.
"""

from collections.abc import Iterable, Sequence
from functools import partial

import torch
import torch.distributed as dist
from torch import Tensor, nn

BUCKET = 1 << 22  # values that are sent at once
_Sent = tuple[list[Tensor], Tensor, dist.Work]


class SummedGradients:
    """Sums the gradients of a network's parameters over all processes.

    As soon as a backward pass has made all gradients of a bucket, their sum is on its way; buckets
    go in one order, from the head to the stem, which all processes have. `wait` is for the end.

    Args:
        passes: backward passes whose gradients are added before `wait`.
    """

    def __init__(self, parameters: Iterable[nn.Parameter], passes: int = 1) -> None:
        self._buckets = _in_buckets([each for each in parameters if each.requires_grad][::-1])
        self._passes = passes
        self._sent: list[_Sent] = []
        self._expect()
        for at, bucket in enumerate(self._buckets):
            for each in bucket:
                each.register_post_accumulate_grad_hook(  # type: ignore[no-untyped-call]
                    partial(self._there, at)
                )

    def _expect(self) -> None:
        self._missing = [self._passes * len(bucket) for bucket in self._buckets]

    def _there(self, at: int, _: Tensor) -> None:
        """A gradient of a bucket has been made."""
        self._missing[at] -= 1
        while len(self._sent) < len(self._buckets) and self._missing[len(self._sent)] == 0:
            self._send()

    def _send(self) -> None:
        """The next bucket's gradients, as one tensor."""
        bucket = self._buckets[len(self._sent)]
        gradients = [each.grad for each in bucket if each.grad is not None]
        flat = torch.cat([each.flatten() for each in gradients])
        work = dist.all_reduce(flat, async_op=True)
        assert work is not None
        self._sent.append((gradients, flat, work))

    def wait(self) -> None:
        """Let every gradient be the sum of those of all processes."""
        while len(self._sent) < len(self._buckets):
            self._send()
        for gradients, flat, work in self._sent:
            work.wait()
            parts = torch.split(flat, [each.numel() for each in gradients])
            for gradient, part in zip(gradients, parts, strict=True):
                gradient.copy_(part.view(gradient.shape))
        self._sent.clear()
        self._expect()


def _in_buckets(parameters: Sequence[nn.Parameter]) -> list[list[nn.Parameter]]:
    buckets: list[list[nn.Parameter]] = []
    room = 0
    for each in parameters:
        if not buckets or each.numel() > room:
            buckets.append([])
            room = BUCKET
        buckets[-1].append(each)
        room -= each.numel()
    return buckets
