"""Under what a network is measured."""

from dataclasses import dataclass
from typing import Literal, get_args

import torch

from nextify.blueprint import sides_of
from nextify.designs.fields import describe, fits, hints
from nextify.designs.run import Precision
from nextify.errors import InputError, unknown
from nextify.words import in_short, native, whole_number

Task = Literal["latency", "throughput", "training"]
"""The answer to one image; the answers to a batch; a training step on a batch."""

Runtime = Literal["torch", "compile", "onnxruntime", "openvino", "graph"]
"""What carries a network out: torch as it is, by `torch.compile`, a runtime that reads exported
networks, or a CUDA graph that is replayed, as nextify trains and evaluates on a GPU."""

EXPORTED: tuple[Runtime, ...] = ("onnxruntime", "openvino")
"""Runtimes of exported networks, which answer on the CPU in float32, and do not train."""

MemoryFormat = Literal["channels_last", "contiguous"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Conditions:
    """Under what a network is measured. All of it is stated beside a result.

    Attributes:
        image_size: pixels; one side, or (height, width). classes: outputs of the classifier.
        batch_size: images in throughput and in a training step; latency is that of one image.
        device: as torch names it. threads: of the processor; None is torch's own number.
        precision: bfloat16 is mixed, by autocast.
        memory_format: of the images, and of the network measured beside nextify's; nextify's own
            works in channels_last whatever it is given.
        runtimes: that carry the networks out, each by itself. Those of exported networks get
            contiguous images.
    """

    image_size: int | tuple[int, int] = 224
    classes: int = 1000
    batch_size: int = 16
    device: str = "cpu"
    threads: int | None = None
    precision: Precision = "float32"
    memory_format: MemoryFormat = "channels_last"
    runtimes: tuple[Runtime, ...] = ("torch",)

    def __post_init__(self) -> None:
        for name, hint in hints(Conditions).items():
            object.__setattr__(self, name, value := native(getattr(self, name)))
            if name not in ("image_size", "runtimes") and not fits(value, hint):
                raise InputError(f"{name} is {in_short(value)}; it must be {describe(hint)}")
        for name in ("classes", "batch_size", "threads"):
            if (value := getattr(self, name)) is not None:
                whole_number(name, value)
        sides_of(self.image_size)  # which refuses what is none
        self._require_runtimes(self._kind())

    def _kind(self) -> str:
        try:
            return torch.device(self.device).type
        except RuntimeError:
            raise unknown("device", self.device, ("cpu", "cuda")) from None

    def _require_runtimes(self, device: str) -> None:
        known, named = get_args(Runtime), self.runtimes
        if not isinstance(named, tuple) or not named:
            raise InputError(f"runtimes is {named!r}; name one or more of {', '.join(known)}")
        for runtime in named:
            if runtime not in known:
                raise unknown("runtime", str(runtime), known)
            if named.count(runtime) > 1:
                raise InputError(f"runtimes names {runtime} twice; name it once")
            if runtime == "graph" and device != "cuda":
                raise InputError(
                    f"runtimes has graph, which a GPU replays, and the device is {self.device}; "
                    "leave it out, or measure on cuda"
                )
            is_plain = device == "cpu" and self.precision == "float32"
            if runtime in EXPORTED and not is_plain:
                raise InputError(
                    f"runtimes has {runtime}, which answers on the CPU in float32 here, and not on "
                    f"{self.device} in {self.precision}; leave it out, or measure so"
                )

    @property
    def sides(self) -> tuple[int, int]:
        """(height, width) of the images, pixels."""
        return sides_of(self.image_size)

    @property
    def format(self) -> torch.memory_format:
        """The memory format as torch has it."""
        is_contiguous = self.memory_format == "contiguous"
        return torch.contiguous_format if is_contiguous else torch.channels_last

    def batch_of(self, task: Task) -> int:
        """How many images a task takes."""
        return 1 if task == "latency" else self.batch_size
