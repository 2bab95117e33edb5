"""`nextify scale networks`: what networks cost over image sizes, and where their curves cross."""

from nextify.cli.scaling import answer, draw, memory_limit, places, refuse, whole_numbers
from nextify.cli.show import note
from nextify.errors import InputError
from nextify.report.scaling.network_words import network_values, networks_in_words
from nextify.requests import ScaleNetworks
from nextify.scaling.laws.networks import SIDES, Networks, read_names

_QUICK_SIDE, _QUICK_ROUNDS = 256, 3


def run(request: ScaleNetworks, as_json: bool) -> int:
    """Carry out the command."""
    found = _asked(request)
    if request.formulas:
        refuse(request, ("rounds", "memory", "threads", "save"), "--formulas")
    save, folder = places(request.save, request.figure)
    if not request.formulas:
        memory = memory_limit(request.memory)
        rounds = request.rounds or (_QUICK_ROUNDS if request.quick else 7)
        from nextify.scaling.measuring.networks import measure_networks

        found = measure_networks(
            found, rounds=rounds, memory=memory, threads=request.threads, save=save, told=note
        )
    if folder:
        from nextify.report.scaling.network_figure import network_figure, share_figure

        shares = [share_figure(found.vits, found.classes)] if found.vits else []
        draw([network_figure(found.curves, found.measured), *shares], folder)
    return answer(found, as_json, network_values, networks_in_words)


def _asked(request: ScaleNetworks) -> Networks:
    """By formula."""
    sides, classes = _sides(request), request.classes or Networks.classes
    if request.only is None:
        return Networks(sides=sides, classes=classes)
    names = read_names(request.only)
    return Networks(names=names, sides=sides, classes=classes, shares_of=names)


def _sides(request: ScaleNetworks) -> tuple[int, ...]:
    for name in ("sizes", "max_size"):
        if request.quick and getattr(request, name) is not None:
            option = f"--{name.replace('_', '-')}"
            raise InputError(
                f"{option} is given, and --quick sets the sizes, too (up to {_QUICK_SIDE} pixels); "
                "leave one of the two out"
            )
    most = request.max_size or (_QUICK_SIDE if request.quick else 1 << 14)
    sides = SIDES if request.sizes is None else whole_numbers(request.sizes, "64,128,224")
    if sides[0] < 1 or sides[-1] > 1 << 14:
        raise InputError(f"--sizes is {request.sizes!r}; give pixels from 1 to {1 << 14:,}")
    kept = tuple(side for side in sides if side <= most)
    if not kept:
        least = f"the least is {SIDES[0]}, or give --sizes"
        remedy = "none of --sizes is as small" if request.sizes else least
        raise InputError(f"--max-size is {most}; {remedy}")
    return kept
