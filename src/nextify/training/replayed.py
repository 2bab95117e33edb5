"""A function of one tensor, captured as a CUDA graph and replayed."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import cache

import torch
from torch import Tensor

WARM_UP = 3  # calls before a capture: libraries set themselves up and choose their algorithms


@cache
def side_stream(device: torch.device) -> torch.cuda.Stream:
    """Where a device captures: always the same stream, since libraries keep memory for each."""
    return torch.cuda.Stream(device)  # type: ignore[no-untyped-call]


def captured(
    graph: torch.cuda.CUDAGraph, stream: torch.cuda.Stream
) -> AbstractContextManager[None]:
    """Inside, what is done is captured and not done; other threads may go on with their own."""
    return torch.cuda.graph(graph, stream=stream, capture_error_mode="thread_local")


class Replayed:
    """A function of a tensor with so many rows, of one shape, on a GPU; with other numbers of rows
    the function is called as it is. It reads nothing else that moves.

    The graph and its memory live as long as this object.
    """

    def __init__(self, function: Callable[[Tensor], Tensor], rows: int) -> None:
        self.function, self.rows = function, rows
        self._graph: torch.cuda.CUDAGraph | None = None

    def __call__(self, given: Tensor) -> Tensor:
        if not given.is_cuda or len(given) != self.rows:
            return self.function(given)
        if self._graph is None:
            self._graph = self._captured(given)
        self._given.copy_(given)
        self._graph.replay()
        return self._found.clone()

    def _captured(self, given: Tensor) -> torch.cuda.CUDAGraph:
        self._given = given.clone()
        with torch.cuda.device(given.device):
            stream = side_stream(given.device)
            stream.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(stream):
                for _ in range(WARM_UP):
                    self.function(self._given)
            torch.cuda.synchronize()
            graph = torch.cuda.CUDAGraph()
            with captured(graph, stream):
                self._found = self.function(self._given)
        return graph
