"""`nextify scale mixers`: what was asked for, measured or taken from a file, and drawn."""

from argparse import Namespace
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nextify.cli.folders import require_place
from nextify.cli.machine import measured_on
from nextify.cli.mixer_words import print_laws, print_sweeps, sweep_values
from nextify.cli.show import note, print_json
from nextify.costs.amounts import read_bytes
from nextify.errors import InputError
from nextify.scaling import saving
from nextify.scaling.laws import MIXERS, Mixer, mixer
from nextify.scaling.laws.kept import SWEEPS, VERSION, read_sweeps, sweep_of, values_of
from nextify.scaling.laws.sweeps import Axis, Sweep

if TYPE_CHECKING:  # it imports torch
    from nextify.scaling.measuring import Settings

_BATCH_ALONG_WIDTH = 4  # sequences: each weight is then used often enough to be worth its loading
_FIXED: dict[str, str] = {"N": "tokens", "D": "width"}  # what a measurement along an axis varies
_MEASURING = (
    "axis", "sizes", "sizes_of", "tokens", "width", "batch", "step", "rounds", "seconds", "memory",
    "threads", "save", "figure",
)  # fmt: skip

Sizes = dict[tuple[str, Axis], tuple[int, ...]]  # of a mixer along an axis; none: to be chosen


def run(options: Namespace) -> int:
    """Carry out the command."""
    chosen = _chosen(options.only)
    if options.formulas:
        _refuse(options, _MEASURING, "--formulas")
        print_laws(chosen, options.json)
        return 0
    sizes = _sizes(chosen, options)
    for option in ("figure", "save"):
        if path := getattr(options, option):
            require_place(Path(path) if option == "figure" else Path(path).parent, f"--{option}")
    sweeps = _measured(chosen, sizes, options)
    if options.figure:
        _draw(sweeps, Path(options.figure))
    if options.json:
        print_json([sweep_values(sweep) for sweep in sweeps])
    else:
        print_sweeps(sweeps)
    return 0


def _chosen(only: str | None) -> dict[str, Mixer]:
    if only is None:
        return MIXERS
    names = [" ".join(part.split()) for part in only.split(",")]
    if not all(names):
        raise InputError(f"--only is {only!r}, with a comma too many; give it as attention,mlp")
    return {name: mixer(name) for name in names}


def _refuse(options: Namespace, names: Sequence[str], other: str) -> None:
    """Refuse what would do nothing beside another option."""
    for name in names:
        if getattr(options, name) is not None:
            option = name.replace("_", "-")
            raise InputError(f"--{option} does nothing with {other}; leave one of the two out")


def _axes(options: Namespace) -> tuple[Axis, ...]:
    return ("N", "D") if options.axis is None else (options.axis,)


def _sizes(chosen: dict[str, Mixer], options: Namespace) -> Sizes:
    """The sizes that are given: none, the same for all, or those in a file."""
    if options.axis is not None:
        _refuse(options, [_FIXED[options.axis]], f"--axis {options.axis}")
    if options.sizes is not None:
        _refuse(options, ["sizes_of", "seconds"], "--sizes")
        given = _numbers(options)
        return {(name, axis): given for axis in _axes(options) for name in chosen}
    if options.sizes_of is None:
        return {(name, axis): () for axis in _axes(options) for name in chosen}
    _refuse(options, ["seconds"], "--sizes-of")
    return _sizes_there(chosen, options)


def _numbers(options: Namespace) -> tuple[int, ...]:
    if options.axis is None:
        raise InputError("--sizes are along one axis; add --axis N or --axis D")
    parts = options.sizes.split(",")
    if not all(part.strip().isascii() and part.strip().isdigit() for part in parts):
        raise InputError(f"--sizes is {options.sizes!r}; give whole numbers, as 1024,2048,4096")
    sizes = tuple(sorted({int(part) for part in parts}))
    if len(sizes) < 3 or sizes[0] < 1:
        raise InputError(f"--sizes is {options.sizes!r}; a line needs three sizes of at least 1")
    return sizes


def _sizes_there(chosen: dict[str, Mixer], options: Namespace) -> Sizes:
    path = Path(options.sizes_of)
    there = {(sweep.name, sweep.axis): sweep.sizes for sweep in read_sweeps(path, "--sizes-of")[1]}
    wanted = [(name, axis) for axis in _axes(options) for name in chosen]
    for name, axis in wanted:
        if (name, axis) not in there:
            raise InputError(
                f"file {path} has no sizes of {name} over {axis}; leave it out with --only or "
                "--axis, or measure it into that file"
            )
    return {key: there[key] for key in wanted}


def _measured(chosen: dict[str, Mixer], sizes: Sizes, options: Namespace) -> list[Sweep]:
    """All sweeps. What does not fit is refused before anything is measured."""
    memory = read_bytes("--memory", options.memory) if options.memory else None
    from nextify.scaling.measuring import measure, prepare, require_sizes, usable_memory

    prepare(options.threads)
    memory = usable_memory() if memory is None else memory
    settings = {axis: _settings(options, axis, memory) for axis in _axes(options)}
    kept = _Kept.there(options, settings)
    for (name, axis), given in sizes.items():
        if kept.find(name, chosen[name], axis, given) is None:
            require_sizes(name, chosen[name], axis, settings[axis], given)
    sweeps = []
    for (name, axis), given in sizes.items():
        found = kept.find(name, chosen[name], axis, given)
        if found is None:
            note(f"{name} along {axis} ...")
            found = measure(name, chosen[name], axis, settings[axis], given)
            kept.add(found)
        sweeps.append(found)
    return sweeps


def _settings(options: Namespace, axis: Axis, memory: int) -> "Settings":
    from nextify.scaling.measuring import Settings

    names = ("tokens", "width", "step", "rounds", "seconds")
    given = {name: getattr(options, name) for name in names}
    return Settings(
        batch=options.batch or (1 if axis == "N" else _BATCH_ALONG_WIDTH),
        memory=memory,
        **{name: value for name, value in given.items() if value is not None},
    )


@dataclass
class _Kept:
    """The sweeps in a file, which is written anew with each that is added; without a file, none."""

    path: Path | None
    made_with: dict[str, Any] = field(default_factory=dict)
    sweeps: list[Sweep] = field(default_factory=list)

    @classmethod
    def there(cls, options: Namespace, settings: "dict[Axis, Settings]") -> "_Kept":
        if options.save is None:
            return cls(None)
        path, made_with = Path(options.save), _made_with(options, next(iter(settings.values())))
        return cls(path, made_with, list(saving.load(path, SWEEPS, made_with, sweep_of)))

    def find(self, name: str, mixer: Mixer, axis: Axis, sizes: tuple[int, ...]) -> Sweep | None:
        """The sweep in the file, if it is there.

        Raises:
            InputError: it is there at other sizes than those that are given.
        """
        for sweep in self.sweeps:
            if (sweep.name, sweep.mixer, sweep.axis) == (name, mixer, axis):
                if sizes and sweep.sizes != sizes:
                    raise InputError(
                        f"file {self.path} has {name} over {axis} at other sizes; name another "
                        "with --save"
                    )
                return sweep
        return None

    def add(self, sweep: Sweep) -> None:
        self.sweeps.append(sweep)
        if self.path is not None:
            values = [values_of(each) for each in self.sweeps]
            saving.save(self.path, SWEEPS, self.made_with, values)


def _made_with(options: Namespace, settings: "Settings") -> dict[str, Any]:
    """All that determines a measurement but for the mixer, the axis and sizes that are given."""
    is_chosen = options.sizes is None and options.sizes_of is None
    return {
        "version": VERSION,
        **measured_on(),
        "step": settings.step,
        "rounds": settings.rounds,
        "tokens": settings.tokens,
        "width": settings.width,
        "batch": options.batch or "1 over N, 4 over D",
        "memory": settings.memory,
        "sizes": f"chosen, of up to {settings.seconds:g} s" if is_chosen else "given",
    }


def _draw(sweeps: Sequence[Sweep], folder: Path) -> None:
    from nextify.report.page import write_drawings
    from nextify.report.scaling.mixer_figure import mixer_figure
    from nextify.report.scaling.mixer_line_figure import mixer_line_figure

    for path in write_drawings([mixer_figure(sweeps), mixer_line_figure(sweeps)], folder):
        note(f"wrote {path}")
