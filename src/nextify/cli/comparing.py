"""The command compare: networks beside one another, on one or several numbers of images."""

import re
import shlex
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import asdict
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nextify.cli.folders import is_there, require_place
from nextify.cli.images import load_images, precision_of
from nextify.cli.memory import require_memory_for
from nextify.cli.show import many, note, print_json, print_table, say
from nextify.cli.studying import carry_out
from nextify.cli.timing import timed
from nextify.costs.amounts import read_count
from nextify.designs import Design, Recipe, Swin, Vit, design, recipe
from nextify.designs.families import canonical
from nextify.designs.fields import hints, read_fields
from nextify.errors import InputError
from nextify.records import Plan

if TYPE_CHECKING:
    from nextify.study import Network, WorkerSetup


_NUMBER = r"[0-9]{1,12}(/0*[1-9][0-9]{0,11}|\.[0-9]{1,12})?"


def run(options: Namespace) -> int:
    """Carry out compare."""
    from nextify.study import cores, gpus

    plan, setup = _asked(options)
    held_out = "-held-out" if options.hold_out else ""
    file = Path(options.file or f"runs/compare-{plan.data['name']}{held_out}.study")
    seconds = None
    is_new = options.plan or not is_there(file)
    if is_new:
        require_memory_for(plan)
        seconds = _timed(options, plan, setup, options.workers or len(gpus()) or cores())
    if options.plan:
        return _show_plan(plan, seconds, options.json)
    if seconds is not None:
        note(_announced(plan, seconds))
    require_place(file.parent, "--file")
    code = carry_out(options, plan, setup, file)
    if not options.json:
        _say_answer(file)
    return code


def _say_answer(file: Path) -> None:
    """What the report begins with."""
    from nextify.report.cells import comparison_content, headline
    from nextify.report.write import read_study

    for text in headline(comparison_content(*read_study(file))):
        say(text)


def _asked(options: Namespace) -> "tuple[Plan, WorkerSetup]":
    """The plan that the options ask for. The images are loaded here once, to be identified."""
    from nextify.study import plan_comparison

    networks = read_networks(options.networks, options.recipe)
    if options.rates is not None:
        networks = [each.at_rate(rate) for each in networks for rate in _rates(options.rates)]
    if options.target is not None and options.matched is None:
        raise InputError("--target is what all networks shall cost; add --matched macs or params")
    dataset, setup = load_images(options, hold_out=options.hold_out)
    options.precision = precision_of(options)  # the command names it
    plan = plan_comparison(
        networks,
        data=dataset.identity(),
        data_source=dataset.source,
        seeds=range(options.first_seed, options.first_seed + options.seeds),
        images=_images(options.images, len(dataset.train)) if options.images else (),
        most_epochs=options.most_epochs,
        matched=options.matched or "",
        target=None if options.target is None else read_count("--target", options.target),
        precision=options.precision,
        command=command_line(options),
        held_out=options.hold_out,
    )
    return plan, setup


def read_networks(words: Sequence[str], recipe_name: str) -> "list[Network]":
    """Networks from words: a name begins one, FIELD=VALUE changes the one before it or, before the
    first name, all of them.

    >>> found = read_networks(["epochs=3", "vit-mini", "vit-mini", "patch_size=8"], "modern-small")
    >>> [(each.name, each.recipe.epochs) for each in found]
    [('vit-mini', 3), ('vit-mini patch_size=8', 3)]

    Raises:
        InputError: no name, an unknown one, or a field that a network does not have.
    """
    shared: list[str] = []
    given: list[tuple[str, list[str]]] = []
    for word in words:
        if "=" not in word:
            given.append((canonical(word), []))
        else:
            (given[-1][1] if given else shared).append(word)
    if not given:
        raise InputError("no network is named; name one at least, as convnext-mini or vit-mini")
    names = [name for name, _ in given]
    for name in names:
        _require_shared(name, shared)
    return [
        _network(name, own, shared, recipe_name, label=names.count(name) == 1)
        for name, own in given
    ]


def _require_shared(name: str, shared: list[str]) -> None:
    """What stands before the first name is for all networks: each has to have these fields."""
    own, every = (
        {field for kind in kinds for field in hints(kind)}
        for kinds in ((type(design(name)), Recipe), (Design, Vit, Swin, Recipe))
    )
    for text in shared:
        field = text.partition("=")[0]
        if field in every - own:
            raise InputError(
                f"field {field!r} stands before the first network, so it is for all of them, but "
                f"{name!r} has none; write {text} after each network that it is for"
            )


def _network(
    name: str, own: list[str], shared: list[str], recipe_name: str, *, label: bool
) -> "Network":
    from nextify.study import Network

    base = design(name)
    of_all, of_one = (read_fields(texts, type(base), Recipe) for texts in (shared, own))
    design_fields, recipe_fields = (
        {**every, **one} for every, one in zip(of_all, of_one, strict=True)
    )
    return Network(
        name=name if label else " ".join([name, *own]),
        design=design(name, **design_fields),
        recipe_name=recipe_name,
        recipe=recipe(recipe_name, **recipe_fields),
    )


def _rates(text: str) -> tuple[float, ...]:
    try:
        rates = tuple(float(part) for part in text.split(","))
    except ValueError:
        rates = (0.0,)
    if not all(0 < rate < float("inf") for rate in rates):
        raise InputError(f"--rates is {text!r}; give numbers above 0, as 0.5,1,2")
    return rates


def _images(text: str, everything: int) -> tuple[int, ...]:
    """Numbers of images, or parts of all of them: what is at most 1.

    >>> _images("1/16,0.25,1", 50_000), _images("100,5000", 50_000)
    ((3125, 12500, 50000), (100, 5000))
    """
    return tuple(_number(part.strip(), everything) for part in text.split(","))


def _number(text: str, everything: int) -> int:
    number = Fraction(text) if re.fullmatch(_NUMBER, text) else Fraction(-1)
    if 0 < number <= 1:
        return round(number * everything)
    if number < 0 or number.denominator > 1:
        raise InputError(
            f"--images has {text!r}; give numbers or parts of all, as 500,1000 or 1/16,1/4,1"
        )
    return int(number)


def command_line(options: Namespace) -> str:
    """What a user types to repeat a comparison elsewhere: the arguments that change its results."""
    words = ["nextify", "compare", *options.networks]
    for name, default in (
        ("recipe", "modern-small"),
        ("images", None),
        ("most_epochs", None),
        ("matched", None),
        ("target", None),
        ("rates", None),
        ("data", "embedded"),
        ("image_size", None),
        ("split_seed", 0),
        ("train_limit", None),
        ("seeds", 2),
        ("first_seed", 0),
        ("precision", "float32"),
    ):
        value = getattr(options, name)
        if value != default:
            words += [f"--{name.replace('_', '-')}", str(value)]
    for name in ("hold_out", "skip_unreadable"):
        if getattr(options, name):
            words.append(f"--{name.replace('_', '-')}")
    return shlex.join(words)


def _timed(options: Namespace, plan: Plan, setup: "WorkerSetup", workers: int) -> float | None:
    """Seconds that the plan will take."""
    pilot = timed(options, plan, setup, workers, "network")
    return None if pilot is None else pilot.total(plan, workers)


def _announced(plan: Plan, seconds: float | None) -> str:
    from nextify.study.running.progress import duration

    networks = len({cell.network for cell in plan.cells})
    numbers = len(plan.cells) // networks
    text = (
        f"{many(networks, 'network')} x {many(numbers, 'number')} of images x "
        f"{many(len(plan.seeds), 'seed')} = {many(len(plan.runs()), 'run')}"
    )
    return text if seconds is None else f"{text}, about {duration(seconds)}"


def _show_plan(plan: Plan, seconds: float | None, as_json: bool) -> int:
    if as_json:
        print_json({"plan": plan.as_dict(), "seconds": seconds})
        return 0
    largest = max(plan.images_of(cell) for cell in plan.cells)
    print_table(
        ["network", "design", "params", "M MACs", "learning rate"],
        [
            [cell.network, _in_words(cell.design), f"{cell.params:,}", f"{cell.macs / 1e6:,.2f}",
             f"{cell.recipe.learning_rate:g}"]
            for cell in plan.cells
            if plan.images_of(cell) == largest
        ],
    )  # fmt: skip
    say("")
    _print_updates(plan)
    say(f"\n{_announced(plan, seconds)}")
    return 0


def _print_updates(plan: Plan) -> None:
    """A row a number of images where all networks are trained alike, else one a network, too."""
    rows = {
        (cell.network, plan.images_of(cell)): _updates(plan.images_of(cell), cell.recipe)
        for cell in plan.cells
    }
    alike = {(f"{images:,}", *row): None for (_, images), row in rows.items()}
    head = ["training images", "epochs", "updates"]
    if len(alike) == len({images for _, images in rows}):
        print_table(head, [list(row) for row in alike])
    else:
        by_network = [[network, f"{images:,}", *row] for (network, images), row in rows.items()]
        print_table(["network", *head], by_network)


def _updates(images: int, of: Recipe) -> tuple[str, str]:
    return str(of.epochs), f"{of.epochs * (images // of.batch_size):,}"


_SIZES = ("patch_size", "width", "widths", "depth", "depths", "heads", "window")


def _in_words(of: Any) -> str:
    """The sizes of a design.

    >>> _in_words(design("vit-mini"))
    'patch_size=4 width=24 depth=4 heads=3'
    """
    values = asdict(of)
    return " ".join(f"{name}={_text(values[name])}" for name in _SIZES if name in values)


def _text(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple | list) else str(value)
