"""The time of a training step against the number of positions, at equal multiply-accumulates."""

from collections.abc import Sequence
from dataclasses import replace

import torch

from nextify.scaling.measuring import timing
from nextify.scaling.measuring.count import longest_chain
from nextify.scaling.sequence.model import next_word
from nextify.scaling.sequence.results import StepTime
from nextify.scaling.sequence.settings import KINDS, Kind, Settings, macs_per_word
from nextify.scaling.sequence.training import loss


def time_steps(
    settings: Settings, words: int, sizes: Sequence[int], batch: int, rounds: int
) -> tuple[StepTime, ...]:
    """Time a step of both models at each number of tokens.

    Rounds go through both models and all sizes in turn. At each size the recurrent model's MLP has
    the width with which both take equally many MACs there. Dropout and the optimiser, which are
    the same for both, are left out.

    Args:
        words: of the vocabulary. batch: sequences at once.
    """
    cases = [(kind, replace(settings, context=size)) for size in sizes for kind in KINDS]
    calls = [_step(kind, words, here, batch) for kind, here in cases]
    rows = timing.time_rounds(calls, rounds)
    return tuple(
        StepTime(
            kind=kind,
            tokens=here.context,
            batch=batch,
            # One sequence: the batch changes nothing.
            chain=longest_chain(_step(kind, words, here, batch=1)),
            macs=batch * here.context * macs_per_word(kind, here, words),
            rounds=len(seconds),
            **timing.middle_and_ends(seconds),
        )
        for (kind, here), seconds in zip(cases, rows, strict=True)
    )


def _step(kind: Kind, words: int, settings: Settings, batch: int) -> timing.Call:
    model = next_word(kind, words, settings, seed=0)
    draw = torch.Generator().manual_seed(0)
    text = torch.randint(words, (batch, settings.context + 1), generator=draw)

    def call() -> None:
        torch.autograd.backward(loss(model(text[:, :-1]), text[:, 1:]))
        model.zero_grad(set_to_none=True)

    return call
