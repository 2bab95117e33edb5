"""The command convert."""

from argparse import Namespace
from dataclasses import asdict
from pathlib import Path

from nextify.cli.reading import design_from
from nextify.cli.show import note, print_json, say
from nextify.designs import Design, require_convolutional
from nextify.errors import InputError
from nextify.network import convert_weights


def run(options: Namespace) -> int:
    """Carry out convert."""
    converted = convert_weights(
        options.source,
        Path(options.target),
        read_as=options.read_as,
        write_as=options.write_as,
        design=_design(options),
        class_names=_class_names(options.class_names),
        allow_nonfinite=options.allow_nonfinite,
        wrapper=options.wrapper,
    )
    loaded, design, name = converted.loaded, converted.design, converted.design_name
    if options.json:
        values = {
            "source": loaded.source,
            "read_as": loaded.naming,
            "architecture": loaded.architecture,
            "entries": loaded.entries,
            "design_name": name,
            "design": asdict(design),
            "classes": len(converted.classes),
            "preprocessing": asdict(loaded.preprocessing),
            "notes": loaded.notes,
            "write_as": converted.naming,
            "target": str(converted.target),
        }
        print_json(values)
        return 0
    for text in loaded.notes:
        note(text)
    shape = f"depths {design.depths}, widths {design.widths}"
    say(
        f"read {loaded.entries} entries in the naming of {loaded.naming} ({loaded.architecture}): "
        f"{name or shape}, {len(converted.classes):,} classes\n"
        f"written in the naming of {converted.naming}: {converted.target}"
    )
    return 0


def _design(options: Namespace) -> Design | None:
    if options.design is not None:
        return require_convolutional(design_from(options.design, options.overrides), "convert")
    if options.overrides:
        raise InputError(f"{options.overrides[0]!r} changes a design; name it with --design")
    return None


def _class_names(file: str | None) -> list[str] | None:
    if file is None:
        return None
    try:
        return Path(file).read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as error:
        raise InputError(f"--class-names {file} cannot be read ({error}); give a text file with "
                         "one name a line") from None  # fmt: skip
