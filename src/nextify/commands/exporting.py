"""The command export: a network as a file for another runtime."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from nextify.commands.watch import QUIET, Watch
from nextify.costs.spread import Spread, spread_of
from nextify.measuring.clock import Effort, by_turns
from nextify.measuring.conditions import Conditions
from nextify.measuring.tasks import prepared
from nextify.network import Card, Network
from nextify.network.export.files import load_exported
from nextify.network.weights.opened import open_network
from nextify.report.announce import evaluated_note
from nextify.report.exported import exported_in_words
from nextify.report.notebook import Shown, View
from nextify.requests import Export
from nextify.training.classify import load_for
from nextify.training.exporting import Rounding, Written, checked_by, require_possible
from nextify.training.exporting import export as write
from nextify.training.machine import thread_count
from nextify.training.seen import has_seen_tested, was_trained_on

_BATCHES = (1, 16)


@dataclass(frozen=True, kw_only=True, slots=True)
class Speed:
    """How long a batch takes, and beside it the same network in torch.

    Attributes:
        seconds: of a batch. torch: the same of torch. ratio: torch's time over that of the file in
            the same round: above 1, the file is faster.
    """

    batch_size: int
    seconds: Spread
    torch: Spread
    ratio: Spread


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class ExportedNetwork(Shown):
    """What was written.

    Attributes:
        path: of the file. card: of its network. written: how it has passed. speed: none, where it
            was not asked for. threads: of the processor, that it was measured with.
    """

    path: Path
    card: Card
    written: Written
    speed: tuple[Speed, ...]
    threads: int

    def _view(self, *, pictures: bool) -> View:
        return View(exported_in_words(self.as_dict()).splitlines())

    def as_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        rounded = self.written.rounded
        return {
            "files": [str(file) for file in self.written.files],
            "classes": len(self.card.classes),
            "image_size": self.card.image_size,
            "agreement": asdict(self.written.agreement),
            "int8": None if rounded is None else asdict(rounded),
            "speed": [asdict(each) for each in self.speed],
            "threads": self.threads,
        }


def export(request: Export, watch: Watch = QUIET) -> ExportedNetwork:
    """Write a network to a file for another runtime, if the file answers as the network does.

    Raises:
        InputError: it cannot be read or written so, or the file answers otherwise.
    """
    path = Path(request.output)
    with thread_count(request.threads):
        network, card, notes = open_network(request.network)
        for text in notes:
            watch.note(text)
        require_possible(card, path, int8=request.int8)
        rounding = _rounding(request, card, watch) if request.int8 else None
        with watch.shares(path.name) as part:
            written = write(
                network,
                card,
                path,
                checked_by(card, request.data),
                with_preprocessing=request.with_preprocessing,
                rounding=rounding,
                part=part,
            )
            part("speed", 0.8)
            speed = _speed(network, card, path, part) if request.speed else ()
        threads = torch.get_num_threads()
    return ExportedNetwork(path=path, card=card, written=written, speed=speed, threads=threads)


def _rounding(request: Export, card: Card, watch: Watch) -> Rounding:
    seen = load_for(card, request.data)
    watch.images(seen)
    if has_seen_tested(card.about, seen):
        watch.note(
            "the network was trained on these images: on others, 8 bits may cost more than is "
            "measured here"
        )
    elif note := evaluated_note(was_trained_on(card, seen), seen):
        watch.note(note)
    return Rounding(seen=seen, most_loss=request.most_loss / 100, reduced=request.reduce_range)


def _speed(
    network: Network, card: Card, path: Path, part: Callable[[str, float], None]
) -> tuple[Speed, ...]:
    """By turns, so that what disturbs the machine disturbs both."""
    networks: list[nn.Module] = [load_exported(path), network]
    found = []
    for at, batch in enumerate(_BATCHES):
        conditions = Conditions(image_size=card.image_size, batch_size=batch)
        calls = [prepared("throughput", one, conditions) for one in networks]
        effort = Effort(seconds=1.0, untimed=int(batch == 1))
        share = partial(_share, part, at)
        ours, torchs = by_turns(calls, effort, share)
        ratio = spread_of([b / a for a, b in zip(ours, torchs, strict=True)])
        one = Speed(batch_size=batch, seconds=spread_of(ours), torch=spread_of(torchs), ratio=ratio)
        found.append(one)
    return tuple(found)


def _share(part: Callable[[str, float], None], at: int, share: float) -> None:
    part("speed", 0.8 + 0.2 * (at + share) / len(_BATCHES))
