"""What a worker does with the network of a run that has ended: probe it, and hand it on."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nextify.designs import Run
from nextify.records import Measurement, Record
from nextify.studies.running.failure import describe
from nextify.studies.running.messages import Done
from nextify.studies.running.worker import OnProgress, stack_trained, weights_for

if TYPE_CHECKING:  # it imports torch, which a supervisor does without
    from nextify.data import Dataset
    from nextify.network import Network


@dataclass(frozen=True)
class TrainProbed:
    """Trains a run as `train_run` does, measures probes on the network that was judged, and keeps
    its weights. What goes wrong with a probe is in its measurement, and costs no run.

    Attributes:
        probes: as in `Plan.probes`. keep_weights: hand the supervisor the network as a file.
    """

    probes: tuple[str, ...]
    keep_weights: bool = False

    def __call__(self, run: Run, dataset: Any, on_progress: OnProgress) -> Done:
        from nextify.training.loop import train_for_probes

        weights = weights_for(run, dataset)
        record, state = train_for_probes(run, dataset, on_progress, weights)
        return self._done(run, record, state.judged, dataset)

    def stack(self, runs: tuple[Run, ...], dataset: Any, on_progress: OnProgress) -> list[Done]:
        """The same with runs of a stack, each with its own network."""
        found = zip(runs, stack_trained(runs, dataset, on_progress), strict=True)
        return [self._done(run, record, network, dataset) for run, (record, network) in found]

    def _done(self, run: Run, record: Record, network: "Network", dataset: "Dataset") -> Done:
        from nextify.network.files import network_bytes
        from nextify.training.folder import card_of
        from nextify.training.seen import draw_of

        if record.result is None:
            return Done(record)
        about = {"accuracy": record.result.accuracy, "run": record.key, "data": run.data}
        content = None
        if self.keep_weights:
            weights, told = weights_for(run, dataset), {**about, **draw_of(dataset)}
            content = network_bytes(network, card_of(run, dataset, told, weights))
        network.use_generator(None)  # of training; a copy of a network can have none
        found = measured(network, run, dataset, self.probes)
        return Done(record, measurements=found, weights=content)


@dataclass(frozen=True)
class ProbeKept:
    """Measures probes on a network that is kept, in place of training its run. Its record is for
    who asked alone.

    Attributes:
        files: of the networks. probes: those to be measured. Both by the run's key.
    """

    files: Mapping[str, Path]
    probes: Mapping[str, tuple[str, ...]]

    def __call__(self, run: Run, dataset: Any, on_progress: OnProgress) -> Done:
        from nextify.network import load_network

        network, _ = load_network(self.files[run.key])
        found = measured(network, run, dataset, self.probes[run.key])
        return Done(Record(key=run.key, run=run.as_dict(), outcome="finished"), measurements=found)


def measured(
    network: "Network", run: Run, dataset: "Dataset", probes: Iterable[str]
) -> tuple[Measurement, ...]:
    """What probes find of the network of a run, on the images that all runs are probed on."""
    from nextify.data import as_named
    from nextify.probes.images import SEED, as_seen_to_probe, drawn_to_probe
    from nextify.probes.measuring import measure
    from nextify.training.initial import as_seen

    found: list[Measurement] = []
    images = labels = None
    for name in probes:
        try:
            if images is None:
                where = next(network.parameters()).device
                seen = as_seen(as_named(dataset, run.data), run)
                images, labels = as_seen_to_probe(drawn_to_probe(seen), where)
            found += measure(network, images, [name], labels, SEED).values()
        except Exception as error:  # as of a file that is there no more
            said = f"the probe failed: {describe(error)}"
            found.append(Measurement(probe=Path(name).stem, version=0, reason=said, failed=True))
    return tuple(found)
