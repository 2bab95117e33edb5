"""The tables of docs/scaling.md, from what `nextify scale ... --save` has kept.

    python scripts/scaling_tables.py docs/scaling                          # print them
    python scripts/scaling_tables.py docs/scaling --write docs/scaling.md  # put them where they go

The files are mixers.json, mixers-training.json, mixers-two-threads.json and networks.json; a table
whose file is not there is left as it is.
"""

import argparse
import sys
from pathlib import Path

from nextify.errors import InputError
from nextify.report.scaling.document import blocks, put


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("folder", type=Path, help="of the files")
    parser.add_argument("--write", type=Path, metavar="FILE", help="the document to put them into")
    options = parser.parse_args()
    found = blocks(options.folder)
    if not found:
        raise InputError(f"folder {options.folder} has no file of `nextify scale ... --save`")
    if options.write is None:
        print("\n\n".join(f"{name}:\n\n{table}" for name, table in found.items()))
        return
    text = options.write.read_text(encoding="utf-8")
    options.write.write_text(put(text, found), encoding="utf-8")


if __name__ == "__main__":
    try:
        main()
    except InputError as error:
        sys.exit(f"scaling_tables: {error}")
