"""What autograd keeps, counted."""

import torch
from torch import Tensor, nn


def count_kept(module: nn.Module, x: Tensor) -> int:
    """Bytes of the distinct tensors that autograd saves, but for parameters and buffers.

    >>> count_kept(nn.Linear(4, 4), torch.zeros(3, 4))  # its input
    48
    """
    own = {t.untyped_storage().data_ptr() for t in (*module.parameters(), *module.buffers())}
    kept: dict[int, Tensor] = {}  # holding them, so that no address is used twice

    def note(saved: Tensor) -> Tensor:
        if saved.untyped_storage().data_ptr() not in own:
            kept[saved.untyped_storage().data_ptr()] = saved
        return saved

    with torch.enable_grad(), torch.autograd.graph.saved_tensors_hooks(note, lambda saved: saved):
        module(x.detach().requires_grad_())
    return sum(tensor.untyped_storage().nbytes() for tensor in kept.values())
