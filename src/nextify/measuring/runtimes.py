"""Networks carried out by torch, by `torch.compile`, in ONNX Runtime and in OpenVINO.

Ours and others' are exported by one tracer, for batches of any size: ours as `nextify export` does
it, rebuilt of plain operators and folded, others' as they are. OpenVINO's model is then reshaped to
the batch.
"""

import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from functools import cache, partial
from math import inf

import numpy as np
import torch
from torch import Tensor, nn
from torch.export import Dim

from nextify.errors import InputError
from nextify.measuring.conditions import EXPORTED, Conditions, Runtime, Task
from nextify.measuring.tasks import work
from nextify.network import Network
from nextify.network.export.files import (
    Run,
    as_onnx,
    graph,
    in_openvino,
    library,
    onnx_session,
    openvino_core,
    run_of,
)
from nextify.network.export.plain import CONVOLVED_FROM, plain

AGREES = 1e-4
"""Largest relative difference of a runtime's outputs and torch's, float32 on a CPU."""

Way = Callable[[int], nn.Module]
"""Of a batch size, what answers such batches as a network does."""


def ways(network: nn.Module, sides: tuple[int, int]) -> dict[Runtime, Way]:
    """A network in each runtime, made when it is asked for.

    Args:
        sides: (height, width) of the images, pixels.
    """
    exported = cache(partial(_exported, network, sides))
    convolved_from = CONVOLVED_FROM if isinstance(network, Network) else inf  # once for others'
    return {
        "torch": lambda batch: network,
        "graph": lambda batch: network,  # the task as a whole is captured: `prepared`
        "compile": lambda batch: Compiled(network),
        "onnxruntime": lambda batch: Served(run_of(onnx_session(exported(convolved_from)))),
        "openvino": lambda batch: Served(_reshaped(exported(inf), (batch, 3, *sides))),
    }


def _exported(network: nn.Module, sides: tuple[int, int], convolved_from: float) -> bytes:
    if isinstance(network, Network):
        made = plain(network, sides, convolved_from=convolved_from)
    else:
        made = deepcopy(network).to(memory_format=torch.contiguous_format).eval()
    program = graph(made, torch.zeros(2, 3, *sides), {0: Dim.DYNAMIC})
    model: bytes = as_onnx(program, {}).SerializeToString()
    return model


def _reshaped(model: bytes, shape: tuple[int, ...]) -> Run:
    read = openvino_core().read_model(model)
    read.reshape(shape)
    return in_openvino(read)


def require_installed(runtimes: Iterable[Runtime]) -> None:
    """Check that there is what these runtimes need.

    Raises:
        InputError: a library is not installed.
    """
    for runtime in runtimes:
        for name in ("onnx", "onnxscript", runtime) if runtime in EXPORTED else ():
            library(name)


@contextmanager
def compiled_anew(runtime: Runtime) -> Iterator[None]:
    """Inside, `torch.compile` has forgotten what it compiled before, and does not warn of functions
    of ours whose results are kept."""
    with warnings.catch_warnings():
        if runtime == "compile":
            torch.compiler.reset()
            kept = "Dynamo detected a call to a `functools.lru_cache`"
            warnings.filterwarnings("ignore", kept, UserWarning)
        yield


class Compiled(nn.Module):
    """A network by `torch.compile`, which says at its first call if there is no compiler."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network, self.compiled = network, torch.compile(network, dynamic=False)

    def forward(self, images: Tensor) -> Tensor:
        from torch._dynamo.exc import TorchDynamoException
        from torch._inductor.exc import InductorError

        try:
            logits: Tensor = self.compiled(images)
        except (TorchDynamoException, InductorError) as error:
            reason = str(error).strip().splitlines()[0]
            raise InputError(
                f"torch.compile does not work here ({reason}); install a C++ compiler with "
                "Python's headers, or leave compile out of the runtimes"
            ) from error
        return logits


class Served(nn.Module):
    """An exported network in its runtime: contiguous images (N, 3, H, W) to logits."""

    def __init__(self, run: Run) -> None:
        super().__init__()
        self.run = run

    def forward(self, images: Tensor) -> Tensor:
        return torch.from_numpy(np.array(self.run(images.numpy())))


def carried_out(
    network: nn.Module, runtime: Runtime, way: Way, task: Task, conditions: Conditions
) -> nn.Module:
    """A network in a runtime, which has answered as torch does.

    Raises:
        InputError: it does not, or it fails.
    """
    try:
        made = way(conditions.batch_of(task))
        if task == "training" or made is network:
            return made
        found, right = (work(task, one, conditions)().double() for one in (made, network))
    except InputError:
        raise
    except Exception as error:  # whatever an exporter or a runtime raises
        reason = " ".join(str(error).split())[:160]
        raise InputError(f"{runtime} fails ({reason}); leave it out of the runtimes") from error
    limit = AGREES if torch.device(conditions.device).type == "cpu" else 1e-3  # TF32
    if conditions.precision == "bfloat16":
        limit = 0.05
    differs = float((found - right).norm() / right.norm())
    if not differs <= limit:
        raise InputError(
            f"{runtime} gives other outputs than torch for the same network (relative difference "
            f"{differs:.1e}, at most {limit:.0e}); leave it out of the runtimes, and please report "
            "it"
        )
    return made
