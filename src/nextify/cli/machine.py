"""What a measurement depends on besides what was asked for."""

from typing import Any

_NAMES = ("nextify", "torch", "system", "device", "threads")


def measured_on() -> dict[str, Any]:
    """Versions, processor and threads, to keep beside a measurement: one that goes on elsewhere
    is another one."""
    from nextify.training.machine import environment  # it imports torch

    machine = environment("cpu")
    return {name: machine[name] for name in _NAMES}
