"""`nextify scale mixers`: what was asked for, measured or taken from a file, and drawn."""

from collections.abc import Collection
from pathlib import Path

from nextify.cli.scaling import answer, draw, memory_limit, places, refuse, whole_numbers
from nextify.cli.show import note
from nextify.errors import InputError
from nextify.report.scaling.law_words import laws_as_values, laws_in_words
from nextify.report.scaling.sweep_words import sweep_values, sweeps_in_words
from nextify.requests import ScaleMixers
from nextify.scaling.laws.kept import sizes_in
from nextify.scaling.laws.mixers import MIXERS, Mixer, mixer
from nextify.scaling.laws.ranges import Settings
from nextify.scaling.laws.sweeps import AXES, Axis

_SETTINGS = ("tokens", "width", "batch", "step", "rounds", "seconds")
_MEASURING = ("axis", "sizes", "sizes_of", *_SETTINGS, "memory", "threads", "save", "figure")


def run(request: ScaleMixers, as_json: bool) -> int:
    """Carry out the command."""
    chosen = _chosen(request.only)
    if request.formulas:
        refuse(request, _MEASURING, "--formulas")
        return answer(chosen, as_json, laws_as_values, laws_in_words)
    axes = AXES if request.axis is None else (request.axis,)
    sizes = _sizes(request, chosen, axes)
    save, folder = places(request.save, request.figure)
    given = {name: getattr(request, name) for name in _SETTINGS}
    given["memory"] = memory_limit(request.memory)
    settings = Settings(**{name: value for name, value in given.items() if value is not None})
    from nextify.scaling.measuring import measure_mixers

    sweeps = measure_mixers(
        chosen, settings, axes=axes, sizes=sizes, threads=request.threads, save=save, told=note
    )
    if folder:
        from nextify.report.scaling.mixer_figure import mixer_figure
        from nextify.report.scaling.mixer_line_figure import mixer_line_figure

        draw([mixer_figure(sweeps), mixer_line_figure(sweeps)], folder)
    return answer(sweeps, as_json, lambda all_: [*map(sweep_values, all_)], sweeps_in_words)


def _chosen(only: str | None) -> dict[str, Mixer]:
    if only is None:
        return MIXERS
    names = [" ".join(part.split()) for part in only.split(",")]
    if not all(names):
        raise InputError(f"--only is {only!r}, with a comma too many; give it as attention,mlp")
    return {name: mixer(name) for name in names}


def _sizes(
    request: ScaleMixers, names: Collection[str], axes: tuple[Axis, ...]
) -> dict[tuple[str, Axis], tuple[int, ...]] | None:
    """The sizes that are given: the same for all, those in a file, or none."""
    if request.axis is not None:
        varied = "tokens" if request.axis == "N" else "width"
        refuse(request, [varied], f"--axis {request.axis}")
    if request.sizes is not None:
        refuse(request, ["sizes_of", "seconds"], "--sizes")
        given = _numbers(request.sizes, request.axis)
        return {(name, axis): given for axis in axes for name in names}
    if request.sizes_of is not None:
        refuse(request, ["seconds"], "--sizes-of")
        return sizes_in(Path(request.sizes_of), names, axes)
    return None


def _numbers(text: str, axis: Axis | None) -> tuple[int, ...]:
    if axis is None:
        raise InputError("--sizes are along one axis; add --axis N or --axis D")
    sizes = whole_numbers(text, "1024,2048,4096")
    if len(sizes) < 3 or sizes[0] < 1:
        raise InputError(f"--sizes is {text!r}; a line needs three sizes of at least 1")
    return sizes
