"""Make src/nextify/scaling/sequence/alice.txt from the text in Debian's source package `snappy`.

    apt-get source snappy
    python scripts/embed_alice.py snappy-1.1.9/testdata/alice29.txt [OUTPUT]

Chapters I to VI, with line ends of one character and nothing else changed. The sha256 that is
printed belongs into nextify/scaling/sequence/text.py.
"""

import hashlib
import sys
from pathlib import Path

from nextify.scaling.sequence.text import FILE

WHOLE = "7467306ee0feed4971260f3c87421154a05be571d944e9cb021a5713700c38f0"
OUTPUT = Path(__file__).parent.parent / "src/nextify/scaling/sequence" / FILE


def embed(source: Path, output: Path) -> None:
    """Write the first six chapters to `output`."""
    content = source.read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if found != WHOLE:
        raise SystemExit(f"{source} has sha256 {found}, not {WHOLE}: it is another text")
    lines = [line.rstrip() for line in content.decode("ascii").splitlines()]
    chapters = [at for at, line in enumerate(lines) if line.lstrip().startswith("CHAPTER ")]
    chosen = "\n".join(lines[chapters[0] : chapters[6]]).rstrip() + "\n"
    output.write_bytes(chosen.encode("ascii"))
    print(f"{output}: {len(chosen):,} bytes, sha256 {hashlib.sha256(chosen.encode()).hexdigest()}")


if __name__ == "__main__":
    embed(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else OUTPUT)
