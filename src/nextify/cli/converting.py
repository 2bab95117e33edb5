"""The command convert."""

from argparse import Namespace
from dataclasses import asdict
from pathlib import Path

from nextify.cli.show import note, print_json, say
from nextify.designs import FAMILIES, Design, design, require_convolutional
from nextify.designs.fields import read_fields, with_fields
from nextify.errors import InputError
from nextify.network import convert_weights
from nextify.network.weights import Converted


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
    _answer(converted, options.json)
    return 0


def _design(options: Namespace) -> Design | None:
    if options.design is not None:
        named = require_convolutional(design(options.design), "convert")
        (fields,) = read_fields(options.overrides, Design)
        return with_fields(named, fields)
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


def _answer(converted: Converted, as_json: bool) -> None:
    loaded = converted.loaded
    name = next((name for name, known in FAMILIES.items() if known == converted.design), None)
    if as_json:
        print_json(
            {
                "source": loaded.source,
                "read_as": loaded.naming,
                "architecture": loaded.architecture,
                "entries": loaded.entries,
                "design_name": name,
                "design": asdict(converted.design),
                "classes": len(converted.classes),
                "preprocessing": asdict(loaded.preprocessing),
                "notes": loaded.notes,
                "write_as": converted.naming,
                "target": str(converted.target),
            }
        )
        return
    for text in loaded.notes:
        note(text)
    shape = f"depths {converted.design.depths}, widths {converted.design.widths}"
    say(
        f"read {loaded.entries} entries in the naming of {loaded.naming} ({loaded.architecture}): "
        f"{name or shape}, {len(converted.classes):,} classes\n"
        f"written in the naming of {converted.naming}: {converted.target}"
    )
