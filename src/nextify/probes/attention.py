"""What tokens attend to: the weights of attention, whatever module computes them.

They are heard where torch computes them and not where a module may keep them: in torch's fused
operator, in `nn.MultiheadAttention`, and in a softmax over the pairs of a head's tokens. That is
how nextify, torchvision and timm compute attention.
"""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

_SOFTMAX = (F.softmax, torch.softmax, Tensor.softmax)


def attention_weights(network: nn.Module, images: Tensor) -> list[Tensor]:
    """The weights of every attention of tokens among themselves, in the order in which they run:
    (N, heads, tokens, tokens), or with N times the number of windows in place of N. A row, of what
    one token attends to, sums to 1."""
    hearing = _Hearing()
    with torch.no_grad(), hearing:
        network(images)
    return hearing.found


class _Hearing(TorchFunctionMode):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[Tensor] = []

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        if func is F.multi_head_attention_forward:
            asked = {**kwargs, "need_weights": True, "average_attn_weights": False}
            out, weights = func(*args, **asked)
            self._keep(weights)
            return out, weights if kwargs.get("need_weights", True) else None
        result = func(*args, **kwargs)
        if func in _SOFTMAX:
            self._keep(result)
        elif func is F.scaled_dot_product_attention:
            self._keep(_fused(*args, **kwargs))
        return result

    def _keep(self, weights: Tensor) -> None:
        if weights.ndim == 4 and weights.shape[2] == weights.shape[3]:
            self.found.append(weights)


def _fused(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    **_: Any,
) -> Tensor:
    """The weights of `F.scaled_dot_product_attention`, by torch's definition of it."""
    scores = query @ key.transpose(-2, -1) * (scale or query.shape[-1] ** -0.5)
    if is_causal:
        ahead = torch.ones_like(scores, dtype=torch.bool).triu(1)
        scores = scores.masked_fill(ahead, -torch.inf)
    if attn_mask is not None and attn_mask.dtype == torch.bool:
        scores = scores.masked_fill(~attn_mask, -torch.inf)
    elif attn_mask is not None:
        scores = scores + attn_mask
    return scores.softmax(-1)


def distances(height: int, width: int, down: float, across: float) -> Tensor:
    """Between the tokens of a plane, row by row: (height * width, the same), in pixels, where
    tokens are so many pixels apart."""
    y, x = torch.arange(height).double() * down, torch.arange(width).double() * across
    places = torch.cartesian_prod(y, x)
    return torch.cdist(places, places, compute_mode="donot_use_mm_for_euclid_dist")


def mean_distances(weights: Tensor, apart: Tensor) -> Tensor:
    """How far the tokens of a plane look on average: (heads,). What they attend to that has no
    place (a class token, the first of the tokens) is left out, and the rest of the weights scaled
    to a sum of 1.

    Args:
        weights: (N, heads, tokens, tokens). apart: `distances` of the last of these tokens.
    """
    start = weights.shape[-1] - len(apart)
    placed = weights[..., start:, start:].double().cpu()
    looked = (placed * apart).sum(-1) / placed.sum(-1)
    return looked.mean((0, 2))
