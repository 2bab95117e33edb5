"""The command convert."""

from dataclasses import asdict
from pathlib import Path

from nextify.cli.reading import design_from
from nextify.cli.show import note, print_json, say
from nextify.designs import Design, require_convolutional
from nextify.errors import InputError
from nextify.files import read_ordinary
from nextify.network import convert_weights
from nextify.requests import Convert


def run(request: Convert, as_json: bool) -> int:
    """Carry out convert."""
    converted = convert_weights(
        request.source,
        Path(request.target),
        read_as=request.read_as,
        write_as=request.write_as,
        design=_design(request),
        class_names=_class_names(request.class_names),
        allow_nonfinite=request.allow_nonfinite,
        wrapper=request.wrapper,
    )
    loaded, design, name = converted.loaded, converted.design, converted.design_name
    if as_json:
        print_json({
            "source": loaded.source,
            "read_as": loaded.naming,
            "architecture": loaded.architecture,
            "entries": loaded.entries,
            "design_name": name,
            "design": asdict(design),
            "classes": len(converted.classes),
            "preprocessing": asdict(loaded.preprocessing),
            "notes": loaded.notes,
            "write_as": request.write_as,
            "target": str(Path(request.target)),
        })  # fmt: skip
        return 0
    for text in loaded.notes:
        note(text)
    shape = f"depths {design.depths}, widths {design.widths}"
    say(
        f"read {loaded.entries} entries in the naming of {loaded.naming} ({loaded.architecture}): "
        f"{name or shape}, {len(converted.classes):,} classes\n"
        f"written in the naming of {request.write_as}: {Path(request.target)}"
    )
    return 0


def _design(request: Convert) -> Design | None:
    if request.design is not None:
        return require_convolutional(design_from(request.design, request.changes), "convert")
    if request.changes:
        raise InputError(f"{request.changes[0]!r} changes a design; name it with --design")
    return None


def _class_names(file: str | None) -> list[str] | None:
    if file is None:
        return None
    try:
        return read_ordinary(Path(file)).decode().splitlines()
    except (OSError, ValueError) as error:
        raise InputError(f"--class-names {file} cannot be read ({error}); give a text file with "
                         "one name a line") from None  # fmt: skip
