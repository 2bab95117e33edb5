"""The networks of a study's runs, kept beside it: `<study>.weights/<key>.safetensors`."""

from pathlib import Path

from nextify.files import write_whole
from nextify.studies.running.locks import beside


def weights_file(study: Path, key: str) -> Path:
    """Where the network of a run is kept, by the key of its record."""
    return beside(study, "weights") / f"{key}.safetensors"


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
