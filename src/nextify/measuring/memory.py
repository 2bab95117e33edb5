"""Peak memory, each in a process of its own.

On a processor: the largest resident set while the task runs three times, less the resident set
before the network was built, when Python, torch and the network's library are loaded and have
warmed up on small tensors. It holds weights, activations, the images, gradients, the optimiser's
state, workspaces and what the allocator did not give back. On a GPU: torch's peak of tensors.

    python -m nextify.measuring.memory < job.pickle
"""

import os
import pickle
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import torch
from torch import nn

from nextify.designs import AnyDesign
from nextify.errors import InputError
from nextify.machine.processes import end_with_parent
from nextify.machine.use import forget_peak, in_use, peak
from nextify.measuring.conditions import Conditions, Runtime, Task
from nextify.measuring.reference import Library, build_ours, build_theirs
from nextify.measuring.runtimes import ways
from nextify.measuring.tasks import prepared, wait

_TIMES = 3
Measured = AnyDesign | tuple[Library, str]


def peak_memory(
    task: Task, network: Measured, conditions: Conditions, runtime: Runtime = "torch"
) -> int:
    """The peak memory of a task, in bytes, measured in a process that does nothing else.

    Args:
        network: a design of ours, or a library with its name for a network.
        runtime: where torch computes.

    Raises:
        InputError: the process did not get to its end, most likely for want of memory.
    """
    home = str(Path(__file__).parents[2])  # where this nextify is
    path = os.pathsep.join([home, *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        [sys.executable, "-P", "-m", "nextify.measuring.memory"],
        input=pickle.dumps((os.getpid(), task, network, conditions, runtime)),
        capture_output=True,
        env={**os.environ, "PYTHONPATH": path},
    )
    if done.returncode != 0:
        last = done.stderr.decode(errors="replace").strip().splitlines()[-1:] or ["it was killed"]
        raise InputError(
            f"the memory of {task} cannot be measured ({last[0]}); use a smaller batch, or leave "
            "memory out"
        )
    return int(done.stdout.split()[-1])


def _measured(task: Task, network: Measured, conditions: Conditions, runtime: Runtime) -> int:
    """The same, in this process."""
    if conditions.threads is not None:
        torch.set_num_threads(conditions.threads)
    if isinstance(network, tuple):
        import_module(network[0])
    _warm_up(conditions.device)
    before = in_use(conditions.device)
    if isinstance(network, tuple):
        built: nn.Module = build_theirs(*network, conditions)
    else:
        built = build_ours(network, conditions)
    made = ways(built, conditions.sides)[runtime](conditions.batch_of(task))
    call = prepared(task, made, conditions, runtime)
    forget_peak(conditions.device)
    for _ in range(_TIMES):
        call()
    return peak(conditions.device) - before


def _warm_up(device: str) -> None:
    """Load what torch only loads when it is used: kernels, threads, autograd."""
    image = torch.randn(1, 8, 16, 16, device=device, requires_grad=True)
    network = nn.Sequential(nn.Conv2d(8, 8, 3, groups=8), nn.Conv2d(8, 8, 1), nn.GELU())
    network.to(device)(image).flatten(1).matmul(torch.ones(8 * 14 * 14, 64, device=device)).sum(
    ).backward()  # fmt: skip
    torch.optim.AdamW(network.parameters(), fused=True).step()
    wait(device)


if __name__ == "__main__":
    parent, *job = pickle.load(sys.stdin.buffer)
    end_with_parent(parent)
    print(_measured(*job))
