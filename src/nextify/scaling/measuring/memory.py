"""Memory of the process, measured: by how much a forward pass grows it."""

import os
from pathlib import Path
from typing import Any, BinaryIO

import torch
from torch import Tensor, nn

from nextify.machine.use import forget_peak
from nextify.scaling.laws.sweeps import Resident
from nextify.scaling.measuring.count import Watch, alive_after, tensors_in
from nextify.training.machine import of_libc

_STATUS = Path("/proc/self/status")
_RISE = 1.02  # of the peak, that is another operator's
_LARGE = 1 << 16  # bytes of a tensor that leaves whole pages when it is freed
_give_back = of_libc("malloc_trim")


def growth(module: nn.Module, x: Tensor) -> Resident | None:
    """The activations at the peak of a forward pass, as the system sees them.

    It is the peak of the process's resident memory less what was resident before, plus the input;
    buffers inside operators are in it, what a library makes once is not. Freed memory is given
    back before each operator: the C library would keep it, and wherever the next tensor does not
    fit into what another left, both would count. None where the peak cannot be reset (not Linux).
    """
    if _give_back is None or not os.access("/proc/self/clear_refs", os.W_OK):
        return None
    with torch.no_grad(), _STATUS.open("rb", buffering=0) as status:
        module(x)  # what a library makes once
        _give_back(0)
        with _Grown(status) as watch:
            module(x)
    own = x.untyped_storage().nbytes()
    tensors = own if watch.at is None else alive_after(module, x)[watch.at]
    grown, operator = watch.highest - watch.first + own, watch.operator
    return Resident(bytes=grown, tensors=tensors, buffers=watch.buffers, operator=operator)


class _Grown(Watch):
    """The resident peak, read after each operator: it was reached in the last in which it rose by
    more than some pages, which the process takes while an operator's inputs are freed.

    Attributes:
        at, operator: this operator's place and name. buffers: by how much it grew the process
            beyond its outputs.
    """

    def __init__(self, status: BinaryIO) -> None:
        super().__init__(self._note, self._begin)
        self.status = status  # open: it is read often
        self.count, self.large = 0, True
        self.at: int | None = None
        self.operator, self.buffers = "", 0
        forget_peak("cpu")
        self.now = self.first = self.highest = self.noted = self.read(b"VmHWM:")

    def read(self, line: bytes) -> int:
        self.status.seek(0)
        return 1024 * int(self.status.read().split(line, 1)[1].split(None, 1)[0])

    def _begin(self) -> None:
        if self.large and _give_back is not None:  # it takes long where there are many small ones
            _give_back(0)
        self.now = self.read(b"VmRSS:")

    def _note(self, func: Any, given: Any, result: Any) -> None:
        inputs, outputs = tensors_in(given), tensors_in(result)
        self.highest = peak = max(self.highest, self.read(b"VmHWM:"))
        if peak - self.first > _RISE * (self.noted - self.first):
            self.noted, self.at, self.operator = peak, self.count, str(func)
            self.buffers = max(0, peak - self.now - _made(inputs, outputs))
        self.count += 1
        self.large = any(tensor.nbytes >= _LARGE for tensor in (*inputs, *outputs))


def _made(inputs: list[Tensor], outputs: list[Tensor]) -> int:
    """Bytes of the outputs that are no views of inputs."""
    before = {tensor.untyped_storage().data_ptr() for tensor in inputs}
    made = {tensor.untyped_storage().data_ptr(): tensor.untyped_storage() for tensor in outputs}
    return sum(storage.nbytes() for place, storage in made.items() if place not in before)
