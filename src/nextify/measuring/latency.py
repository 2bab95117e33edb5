"""The latency of several designs, measured by turns: what `fit` asks."""

from collections.abc import Sequence

from nextify.costs.spread import Spread, spread_of
from nextify.designs import AnyDesign
from nextify.measuring.clock import Effort, by_turns
from nextify.measuring.conditions import Conditions
from nextify.measuring.limits import require_room
from nextify.measuring.tasks import prepared
from nextify.network import build
from nextify.training.machine import thread_count

QUICK = Effort(seconds=0.5, least=7, most=50, untimed=1)


def measure_latency(
    designs: Sequence[AnyDesign],
    image_size: int | tuple[int, int] = 224,
    classes: int = 1000,
    *,
    batch_size: int = 1,
    threads: int | None = None,
    device: str = "cpu",
    effort: Effort = QUICK,
) -> tuple[Spread, ...]:
    """Seconds that each design takes to answer a batch, in evaluation mode and float32.

    All are measured by turns. Before every timed call there is one that is not, so that a network
    finds its own weights in the cache.

    >>> from nextify.designs import design
    >>> measure_latency([design("convnext-atto")], 32, effort=Effort(rounds=2))[0].count
    2
    """
    conditions = Conditions(
        image_size=image_size,
        classes=classes,
        batch_size=batch_size,
        threads=threads,
        device=device,
    )
    for one in designs:
        require_room(one, ("throughput",), conditions)
    with thread_count(threads):
        networks = [build(one, classes, image_size=image_size, device=device) for one in designs]
        calls = [prepared("throughput", network, conditions) for network in networks]
        return tuple(map(spread_of, by_turns(calls, effort)))
