"""Batch norms whose statistics are those of the images of all processes."""

from typing import Any

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable


def summed_batch_norms(network: nn.Module, device: torch.device | str) -> None:
    """Let a network's batch norms in training take means and variances over the images of all
    processes, which may have different numbers of them. Parameters, buffers and their names stay.

    On a GPU by torch's own module, which knows no CPU.
    """
    for module in list(network.modules()):
        for name, child in module.named_children():
            if isinstance(child, nn.BatchNorm2d):
                setattr(module, name, _summed(child, torch.device(device).type))


def _summed(norm: nn.BatchNorm2d, kind: str) -> nn.Module:
    if kind != "cpu":
        found: nn.Module = nn.SyncBatchNorm.convert_sync_batchnorm(norm)  # type: ignore[no-untyped-call]
        return found
    return SummedBatchNorm2d(norm)


class SummedBatchNorm2d(nn.BatchNorm2d):
    """A batch norm on a CPU, of the images of all processes: (N, C, H, W) to the same."""

    def __init__(self, norm: nn.BatchNorm2d) -> None:
        super().__init__(norm.num_features, norm.eps, norm.momentum, device="meta")
        self.weight, self.bias = norm.weight, norm.bias
        self.running_mean, self.running_var = norm.running_mean, norm.running_var
        self.num_batches_tracked = norm.num_batches_tracked
        self.train(norm.training)

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return super().forward(x)
        y, mean, var = _Normalised.apply(x, self.weight, self.bias, self.eps)
        with torch.no_grad():
            for kept, now in ((self.running_mean, mean), (self.running_var, var)):
                assert kept is not None and self.momentum is not None
                kept.lerp_(now, self.momentum)
            assert self.num_batches_tracked is not None
            self.num_batches_tracked.add_(1)
        normalised: Tensor = y
        return normalised


class _Normalised(torch.autograd.Function):
    """The normalised map, and the mean and the unbiased variance that the averages take in.

    Forward, each process tells its count, means and variances, and all join them in the same order
    (Chan et al. 1983): the difference of mean squares would lose digits. Backward, with sums over
    all N values of a channel,  dx = w / s (dy - sum(dy) / N - x' sum(dy x') / N),  where s is the
    deviation and x' is x normalised; the gradients of weight and bias are this process's own.
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, eps: float
    ) -> tuple[Tensor, Tensor, Tensor]:
        wide = x.to(torch.promote_types(x.dtype, torch.float32))
        # torch.var_mean says the same, thirty times as slowly of maps that are channels last.
        mean, var = torch.batch_norm_update_stats(wide, None, None, 0.0)
        counts, means, variances = _of_all(x.numel() // x.shape[1], mean, var)
        total = counts.sum()
        joint = (counts * means).sum(0) / total
        spread = (counts * (variances + (means - joint) ** 2)).sum(0) / total
        mean, var = joint.to(mean.dtype), spread.to(mean.dtype)
        ctx.save_for_backward(x, weight, mean, var)
        ctx.eps, ctx.total = eps, int(total)
        unbiased = (spread * (total / (total - 1))).to(mean.dtype)
        y = F.batch_norm(x, mean, var, weight, bias, False, 0.0, eps)
        ctx.mark_non_differentiable(mean, unbiased)
        return y, mean, unbiased

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy: Tensor, *_: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, mean, var = ctx.saved_tensors
        dx, dw, db = torch.ops.aten.native_batch_norm_backward(
            dy, x, weight, mean, var, None, None, False, ctx.eps, [True, True, True]
        )
        sums = _gathered(torch.stack([db, dw])).sum(0)
        scale = (var + ctx.eps).rsqrt()
        shift, slope = weight * scale / ctx.total * sums
        line = slope * scale
        dx.sub_((shift - line * mean).view(-1, 1, 1)).addcmul_(
            x.to(dx.dtype), line.to(dx.dtype).view(-1, 1, 1), value=-1
        )
        return dx, dw, db, None


def _of_all(count: int, mean: Tensor, var: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Of each process: counts (W, 1), means and variances (W, C), float64."""
    own = torch.cat([mean.new_tensor([count]), mean, var]).double()
    counts, means, variances = torch.split(_gathered(own), [1, len(mean), len(mean)], 1)
    return counts, means, variances


def _gathered(own: Tensor) -> Tensor:
    """What each process has, (W, ...). Of a few numbers gloo's sum takes several times as long."""
    found = [torch.empty_like(own) for _ in range(dist.get_world_size())]
    dist.all_gather(found, own)
    return torch.stack(found)
