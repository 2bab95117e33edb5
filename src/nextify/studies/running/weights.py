"""The networks of a study's runs, kept beside it: `<study>.weights/<key>.safetensors`."""

from collections.abc import Iterable
from pathlib import Path

from nextify.files import write_whole
from nextify.records import Record
from nextify.studies.running.locks import beside


def weights_file(study: Path, key: str) -> Path:
    """Where the network of a run is kept, by the key of its record."""
    return beside(study, "weights") / f"{key}.safetensors"


def first_kept(study: Path, runs: Iterable[Record | None]) -> tuple[int, Path] | None:
    """The lowest seed of some runs whose network is kept, and where, as the study is named; None:
    none is."""
    done = (run for run in runs if run and run.result)
    kept = {run.seed: weights_file(study, run.key) for run in done}
    seed = min((seed for seed, file in kept.items() if file.is_file()), default=None)
    if seed is None:
        return None
    file = kept[seed]
    named = study.parent / file.parent.name / file.name
    return seed, named if named.is_file() else file


def keep_weights(study: Path, key: str, content: bytes) -> None:
    """Keep a network, whole, before its run is recorded: one that is recorded has it.

    Raises:
        InputError: it cannot be written.
    """
    remedy = (
        "remedy that and start the same command again, or leave out --keep-weights; the runs "
        "recorded before are kept"
    )
    write_whole(weights_file(study, key), content, what="network", remedy=remedy)
