"""Command lines that nobody would type and somebody will: made by a seed, for `test_fuzz`.

A line is a command with options and values from what its request takes: legal ones, ones that are
legal singly and not together, and hostile ones; now and then by a TOML file of random structure.
What a command could destroy lies in the test's own folder, three deep, so that `..` stays in it.
"""

import os
import random
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from shutil import copytree
from types import UnionType
from typing import Literal, get_args, get_origin

from nextify.designs import NAMED, PATHS, RECIPES, Design, Recipe, Swin, Vit
from nextify.designs.fields import hints, written
from nextify.requests import REQUESTS, entries
from nextify.requests.options import Entry, Pixels
from nextify.requests.spellings import ELSEWHERE


def _split(text: str) -> tuple[str, ...]:
    return tuple(text.split())


NUMBERS = _split(
    """0 -1 1 2 3 7 1e3 1e309 -0 +5 007 ٣ 1_000 0.5 1e-300 -1e-300 nan inf -inf 0x10 1/0 1/3
    1e999999999 9223372036854775807 9223372036854775808 1,2,3 1,,2 , 2,2,6,2 3x4 x 12M 12m 1T 20ms
    1e30T 3GiB 0.1GB −5"""
)
NUMBERS += ("9" * 30, "9" * 5000)
TEXTS = _split(
    """none None true False null a=b = == a= =a - -- -x --x --= é e\u0301 猫 😀 \ufeffa ../.. .. . ~
    ~nobody $HOME * ' " {} {0} {a.b} %s % \\ file:///a hf: hf:a hf:../a @file C:\\a a/b/c <b>& a+b +
    a,b recipe all auto"""
)
TEXTS += (
    "",
    " ",
    "\t",
    "a b",
    "a\0b",
    "\0",
    "\n",
    "a\nb",
    "a\rb",
    "\x1b[31m",
    "\u202ea",
    "a\u2028b",
)
TEXTS += ("\ud800", "\udcff", "n" * 300, "n" * 100_000)
DESIGNS = (*NAMED, "resnet50", "ConvNeXt_Tiny")
SMALL = ("convnext-mini", "resnet-small", "vit-mini", "swin-mini")
NETWORKS = ("net", "net/network.safetensors", "net/best.safetensors")
STUDIES = ("a.study", "c.study", "f.study")
# Names of files are those of `make_place`.
INPUTS = _split(
    """pets net/record.json fifo socket null loop broken closed empty file text.toml noise.bin
    noise.safetensors noise.pth noise.study noise.png pets/cat/0.png names.txt saved.json odd deep
    nowhere file/a weights.pth"""
)
INPUTS += NETWORKS + STUDIES
OUTPUTS = _split("o o/p file file/a fifo null loop broken closed/a pets net noise.study empty")
OUTPUTS += (*STUDIES, "n" * 254, "n" * 300)
# By an option's key: what it takes.
LEGAL: dict[str, Sequence[str]] = {
    "params": ("300k", "12M", "1"), "macs": ("50M", "2.2G"), "activation_memory": ("1MB", "190MiB"),
    "like": DESIGNS, "base": DESIGNS, "free": ("kernel_size", "kernel_size,ratio", "norm"),
    "design": DESIGNS, "designs": SMALL, "networks": SMALL, "path": tuple(PATHS),
    "recipe": tuple(RECIPES), "name": (*PATHS, *RECIPES), "data": ("embedded", "pets"),
    "weights": NETWORKS, "network": NETWORKS, "source": (*NETWORKS, "pets"),
    "class_names": ("names.txt",),
    "sizes_of": ("saved.json",), "output": OUTPUTS, "report": OUTPUTS, "save": OUTPUTS,
    "figure": OUTPUTS, "file": (*STUDIES, *OUTPUTS), "beside": STUDIES,
    "wrapper": ("model", "model_ema"),
    "factors": ("stage ratio", "norm", "recipe", "patchify stem+increase width"),
    "rates": ("0.5,1,2", "1"), "fold_over": ("all", "stage ratio"), "sigma": ("0.4",),
    "only": ("attention", "resnet-50,swin-t"), "sizes": ("32,64,128", "16,32,64"),
    "memory": ("1GiB",), "device": ("cpu", "cuda", "cpu:1"), "say": ("queen",),
    "latency": ("20ms",), "probes": ("default", "feature-collapse", "all,none.py"),
    "target": ("4M", "o.safetensors", "o.pth", "o/p.bin"),
    "images": ("1/4,1", "20", "pets/cat", "pets/dog/1.png"),
}  # fmt: skip
# Without these few lines would come far.
SMALL_IMAGES = (("--data", "pets"), ("--image-size", "32"), ("--batch-size", "8"))
FITTING: dict[str, Sequence[Sequence[str]]] = {
    "train": (*SMALL_IMAGES, ("--recipe", "modern-small"), ("--stem-stride=1",)),
    "evaluate": (("--data", "pets"),),
    "study": SMALL_IMAGES,
    "compare": SMALL_IMAGES,
    "choose": (("--params", "2M"), *SMALL_IMAGES),
    "fit": (("--params", "2M"),),
    "convert": (("--design", "convnext-mini"), ("--stem-stride", "1")),
    "bench": (("--image-size", "32"), ("--repeats", "1")),
    "probe": (("--data", "pets"), ("--image-size", "32"), ("--untrained",)),
}
FIELDS = {**hints(Design), **hints(Vit), **hints(Swin), **hints(Recipe)}
BY_HAND: dict[str, Sequence[str]] = {
    name: tuple({written(getattr(one, name)) for one in (*NAMED.values(), *RECIPES.values())
                 if hasattr(one, name)})
    for name in FIELDS
}  # fmt: skip


def make_place(network: Path, kept: Path) -> None:
    """Files and folders of all kinds in the folder that is current.

    Args:
        network: a folder that `train` left. kept: one with study files.
    """
    for folder in ("empty", "odd/train/cat", "odd/val", "deep" + "/d" * 60, "closed"):
        Path(folder).mkdir(parents=True)
    copytree(network, "net")
    for name, study in (("a", "path-4"), ("c", "comparison-4"), ("f", "factors-4")):
        Path(f"{name}.study").write_bytes((kept / f"{study}.study").read_bytes())
    os.mkfifo("fifo")
    with socket.socket(socket.AF_UNIX) as one:
        one.bind("socket")
    Path("null").symlink_to("/dev/null")
    Path("loop").symlink_to("loop")
    Path("broken").symlink_to("nothing")
    Path("file").write_text("just some text\n")
    Path("text.toml").write_text('path = "small"\nchanges = {epochs = 2}\n')
    Path("names.txt").write_text("cat\ndog\n")
    Path("saved.json").write_text('{"curves": [1, {"a": null}]}')
    noise = random.Random(0).randbytes(3000)
    for suffix in ("bin", "safetensors", "pth", "study", "png"):
        Path(f"noise.{suffix}").write_bytes(noise)
    Path("weights.pth").write_bytes(b"\x80\x02cos\nsystem\n(X\x04\x00\x00\x00truetR.")
    Path("odd/train/cat/x.png").write_bytes(noise)
    os.mkfifo("odd/train/cat/y.png")
    Path("closed").chmod(0)


class Typist:
    """Types lines, the same for the same seed."""

    def __init__(self, seed: object) -> None:
        self.draw = random.Random(repr(seed))
        self.legal = self.draw.choice((1.0, 0.97, 0.9, 0.6))  # share of values

    def one(self, *some: Sequence[str]) -> str:
        return self.draw.choice(self.draw.choice(some))

    def often(self, share: float = 0.8) -> bool:
        return self.draw.random() < share

    def text(self) -> str:
        """Anything."""
        if self.often(0.8):
            return self.one(NUMBERS, TEXTS, INPUTS, DESIGNS)
        ends = self.draw.choices((128, 0xD800), k=self.draw.randrange(8))
        return "".join(chr(self.draw.randrange(end)) for end in ends)

    def value(self, entry: Entry) -> str:
        """Of an option: mostly what it takes."""
        if not self.often(self.legal):
            return self.text()
        if entry.key in LEGAL:
            return self.one(LEGAL[entry.key])
        inner = entry.inner
        if get_origin(inner) is Literal:
            return str(self.draw.choice(get_args(inner)))
        if inner is int:
            small = self.draw.randint(entry.about.least, entry.about.least + 3)
            ends = (entry.about.least - 1, entry.about.most, entry.about.most + 1)
            return str(small if self.often(self.legal) else self.draw.choice(ends))
        if inner == Pixels:
            return self.one(("8", "32", "32x64", "224"))
        return self.one(NUMBERS) if inner is float else self.text()

    def field(self) -> tuple[str, str]:
        """A field and a value of it: mostly one that some design or recipe has."""
        name = self.one(tuple(FIELDS), ("epochs", "batch_size", "learning_rate"))
        name = name if self.often(self.legal) else self.text()
        hint = FIELDS.get(name)
        if hint is None or not self.often(self.legal):
            return name, self.text()
        if get_origin(hint) is Literal:
            return name, str(self.draw.choice(get_args(hint)))
        if hint is bool:
            return name, self.one(("true", "false"))
        if get_origin(hint) is UnionType and self.often(0.2):
            return name, "none"
        return name, self.one(BY_HAND[name], BY_HAND[name], ("0", "1", "2", "3", "0.5", "64"))

    def placed(self, entry: Entry) -> list[list[str]]:
        """What stands by its place, in groups of words that belong together."""
        if entry.about.many in ("", "?"):
            return [[self.value(entry)]] if entry.about.many == "" or self.often() else []
        least = int(entry.about.many == "+")
        names = 0 if entry.key == "changes" and self.often(0.95) else self.draw.randint(least, 3)
        groups = [[self.value(entry)] for _ in range(names)]
        groups += [self.spelled() for _ in range(self.draw.randrange(4))] * entry.about.fields
        self.draw.shuffle(groups)
        return groups

    def spelled(self) -> list[str]:
        """A field as it may be typed."""
        name, value = self.field()
        option = "--" + (name if self.often(0.3) else name.replace("_", "-"))
        return self.draw.choice(([f"{name}={value}"], [f"{option}={value}"], [option, value]))

    def option(self, entry: Entry) -> list[str]:
        """An option with its value."""
        if entry.inner is bool:
            return [entry.option if self.often(0.9) else f"--no-{entry.option[2:]}"]
        value = self.value(entry)
        return [f"{entry.option}={value}"] if self.often(0.5) else [entry.option, value]

    def stray(self) -> list[str]:
        """What belongs to no command, or to another program."""
        name = self.one(tuple(" ".join(ELSEWHERE).split()))
        dashes = "-" if len(name) == 1 else "--"
        return self.draw.choice((["--json"], [f"{dashes}{name}", self.text()], [self.text()],
                                 [self.text(), self.text()], ["--help"], ["--"]))  # fmt: skip

    def line(self, command: str) -> list[str]:
        """A line of a command."""
        kind = REQUESTS[command]
        every = entries(kind)
        if self.often(0.12):
            return [*command.split(), self.toml(every)]
        groups = [group for e in every if e.about.positional for group in self.placed(e)]
        chosen = self.draw.sample(every, min(len(every), self.draw.choice((0, 0, 1, 1, 2, 3, 6))))
        named = [self.option(e) for e in chosen if not e.about.positional]
        named += [self.stray()] * (not self.often(self.legal))
        named += [list(each) for each in FITTING.get(command, ()) if self.often()]
        for each in named:
            groups.insert(self.draw.randrange(len(groups) + 1), each)
        words = [word for group in groups for word in group]
        if words and not self.often(self.legal):
            del words[self.draw.randrange(len(words))]
        return [*command.split(), *words]

    def toml(self, every: Sequence[Entry]) -> str:
        """A file of random structure; its name."""
        keys = [e.key for e in every] + ["changes", "x", "a.b", '"quoted key"', "path"]
        lines = [f"{self.draw.choice(keys)} = {self.toml_value(e)}"
                 for e in self.draw.choices(every, k=self.draw.randrange(6))]  # fmt: skip
        if self.often(0.2):
            lines.insert(0, self.draw.choice(("[changes]", "[[a]]", "path", "= 3", "\ufeff", "\0")))
        needed = [e for e in every if e.about.positional and e.about.many in ("", "+")]
        if self.often(0.7):
            lines = [f"{e.key} = {self.toml_value(e)}" for e in needed] + [
                text for text in dict.fromkeys(lines) if text.partition(" ")[0] not in
                {e.key for e in needed}
            ]  # fmt: skip
        name = self.draw.choice(("plan.toml", "plan.toml", "plan.toml", "net/a.toml", "fifo.toml"))
        with suppress(OSError):
            if name != "fifo.toml":
                Path(name).write_bytes("\n".join(lines).encode("utf-8", "surrogateescape"))
        return name

    def toml_value(self, entry: Entry, depth: int = 0) -> str:
        makers: tuple[Callable[[], str], ...] = (
            lambda: _quoted(self.value(entry)),
            lambda: _quoted(self.value(entry)),
            lambda: self.value(entry),
            lambda: self.one(
                ("true", "false", "nan", "-inf", "1979-05-27", "07:32:00", "1e400", "0o7")
            ),
            lambda: str(self.draw.choice((0, 1, -1, 2, 8, 2**70))),
            lambda: f"[{', '.join(self.toml_value(entry, depth + 1) for _ in range(depth < 3))}]",
            lambda: "{" + " = ".join(map(_quoted, self.field())) + "}",
        )
        return self.draw.choice(makers)()


def _quoted(text: str) -> str:
    escaped = "".join(f"\\U{ord(c):08X}" if not c.isalnum() else c for c in text)
    return f'"{escaped}"'
