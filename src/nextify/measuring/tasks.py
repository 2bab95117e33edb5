"""What is measured: a network's answer, or a training step, as a function to call."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nextify.measuring.conditions import Conditions, Runtime, Task
from nextify.training.replayed import WARM_UP

Call = Callable[[], None]
Work = Callable[[], Tensor]
"""Carries a task out once and does not wait for the device: the logits, or the loss."""


def prepared(
    task: Task, network: nn.Module, conditions: Conditions, runtime: Runtime = "torch"
) -> Call:
    """A function that carries out the task once and waits until the device has done it; see
    `work`."""
    once = work(task, network, conditions)
    if runtime == "graph":
        once = captured(once, conditions.device)

    def call() -> None:
        once()
        wait(conditions.device)

    return call


def work(task: Task, network: nn.Module, conditions: Conditions) -> Work:
    """A function that carries out the task once.

    The network is set to the mode of the task. Images and labels are random and made once: loading
    and augmenting them is no part of it.
    """
    draw = torch.Generator().manual_seed(0)
    images = torch.randn(conditions.batch_of(task), 3, *conditions.sides, generator=draw)
    images = images.to(conditions.device).contiguous(memory_format=conditions.format)
    if task == "training":
        return _step(network, images, conditions)
    network.eval()

    @torch.inference_mode()
    def answer() -> Tensor:
        with _autocast(conditions):
            logits: Tensor = network(images)
            return logits

    return answer


def _step(network: nn.Module, images: Tensor, conditions: Conditions) -> Work:
    """Forward, cross-entropy, backward, fused AdamW."""
    network.train()
    labels = torch.arange(len(images), device=images.device) % conditions.classes
    on_gpu = images.device.type == "cuda"  # where a graph may take it up; the same arithmetic
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-4, fused=True, capturable=on_gpu)

    def step() -> Tensor:
        with _autocast(conditions):
            loss = F.cross_entropy(network(images), labels)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return loss.detach()

    return step


def captured(once: Work, device: str) -> Work:
    """The same on a GPU as a CUDA graph, replayed."""
    with torch.cuda.device(device):
        beside = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        beside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(beside):
            for _ in range(WARM_UP):
                once()
        torch.cuda.current_stream().wait_stream(beside)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            answer = once()

    def replay() -> Tensor:
        graph.replay()
        return answer

    return replay


def wait(device: str) -> None:
    """Until all that was asked of a GPU is done; a processor is done when it answers."""
    if torch.device(device).type == "cuda":
        torch.cuda.synchronize(device)


def _autocast(conditions: Conditions) -> torch.autocast:
    kind = torch.device(conditions.device).type
    return torch.autocast(kind, torch.bfloat16, enabled=conditions.precision == "bfloat16")
