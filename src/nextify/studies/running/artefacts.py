"""Files of a run that are kept beside the study: `<study>.artefacts/<key>/<name>`."""

import shutil
from collections.abc import Mapping
from pathlib import Path

from nextify.errors import InputError
from nextify.studies.running.locks import beside


def keep(study: Path, key: str, artefacts: Mapping[str, bytes | Path]) -> None:
    """Keep them, before the run is recorded: one that is recorded has them all.

    Raises:
        InputError: they cannot be read or written.
    """
    folder = beside(study, "artefacts") / key
    for name, artefact in artefacts.items():
        if Path(name).name != name:
            raise InputError(f"artefact {name!r} of a run is no name of a file; leave folders out")
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if isinstance(artefact, bytes):
                (folder / name).write_bytes(artefact)
            else:
                shutil.move(artefact, folder / name)
        except OSError as error:
            raise InputError(
                f"{folder / name} cannot be kept ({error.strerror}); remedy that and start the "
                "same command again; the runs recorded before are kept"
            ) from error
