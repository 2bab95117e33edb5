"""A network small enough to be saved and read hundreds of times."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import nextify as nx
from network.references import perturb
from nextify.designs import Design
from nextify.designs.fields import with_fields
from nextify.network import Network

TINY = with_fields(
    nx.design("convnext-tiny"),
    {"depths": (1, 1, 1, 1), "widths": (2, 3, 4, 5), "kernel_size": 3},
)
TINY_V2 = with_fields(TINY, {"layer_scale": None, "response_norm": "global"})
TINY_RESNET = with_fields(nx.design("resnet-18"), {"depths": (1,) * 4, "widths": (4, 6, 8, 10)})
CLASSES = 3


def tiny(classes: int = CLASSES, seed: int = 1, design: Design = TINY) -> Network:
    network = nx.build(design, classes)
    perturb(network, seed)
    return network.eval()


def state(network: nn.Module) -> dict[str, Tensor]:
    return {name: entry.clone() for name, entry in network.state_dict().items()}


@pytest.fixture
def refuses() -> Callable[..., str]:
    """Load what cannot be loaded; what the error says, in one line. The network stays as it was."""

    def run(source: Any, **options: Any) -> str:
        network = tiny(seed=9)
        before = state(network)
        with pytest.raises(nx.InputError) as caught:
            nx.load_weights(network, source, **options)
        after = state(network)
        assert all(torch.equal(before[name], after[name]) for name in before)
        message = str(caught.value)
        assert "\n" not in message and len(message) < 700, message
        return message

    return run


@pytest.fixture
def saved(tmp_path: Path) -> Callable[[Any], Path]:
    """What `torch.save` makes of something."""

    def run(content: Any, **options: Any) -> Path:
        file = tmp_path / "weights.pth"
        torch.save(content, file, **options)
        return file

    return run
