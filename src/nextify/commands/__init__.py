"""What each command does, as a function: the same options by name, and a typed result.

>>> import nextify as nx
>>> planned = nx.study("small", "epochs=2", seeds=3, plan=True, quiet=True)
>>> len(planned.plan.runs()), planned.plan.command
(45, 'nextify study small epochs=2 --recipe modern-small --seeds 3')

What is given by its place on the command line comes first, changes of fields as `"epochs=2"` or as
`changes={"epochs": 2}`, options by their names with underscores. A request (`nextify.requests`), or
a TOML file of one, can stand first in place of all of it; options by their names then come before
what it says. Notes and progress go to standard error, unless `quiet`.
"""

from os import PathLike
from pathlib import Path
from typing import Any, TypeVar

from nextify import requests
from nextify.commands import (
    attributing,
    blocks,
    choosing,
    exporting,
    probing,
    studying,
    surveying,
    training,
)
from nextify.commands.at_work import (
    Classifier,
    LoadedImages,
    TrainedNetwork,
    carried_out,
    each_of,
    with_images,
)
from nextify.commands.attributing import Attributed
from nextify.commands.blocks import Blocks
from nextify.commands.choosing import PlannedChoice
from nextify.commands.chosen import Chosen
from nextify.commands.exporting import ExportedNetwork
from nextify.commands.probing import Probed, ProbedStudy
from nextify.commands.racing import PlannedRace
from nextify.commands.sizes import EvaluatedSizes, evaluate_at
from nextify.commands.studying import Planned, Studied
from nextify.commands.surveying import Surveyed
from nextify.commands.training import Evaluated, Predictions
from nextify.data import load as load_dataset
from nextify.errors import InputError
from nextify.machine.lines import hushed
from nextify.network.files import network_file
from nextify.report.page import ReportFiles
from nextify.training.machine import as_a_guest
from nextify.words import in_short

T = TypeVar("T")


def study(
    *given: Any, quiet: bool = False, **options: Any
) -> Planned | Studied | tuple[Planned, ...] | Blocks:
    """Train every step of a path, or an experiment on its choices, and report; see
    `nextify.requests.Study`. With `more_data` one for each data set, and all together."""
    request = _asked(requests.Study, given, options)
    if request.more_data:
        return carried_out(blocks.study, request, quiet)
    return carried_out(studying.study, request, quiet)


def compare(*given: Any, quiet: bool = False, **options: Any) -> Planned | Studied:
    """Networks beside one another, on a few images or on many; see `nextify.requests.Compare`."""
    return carried_out(studying.study, _asked(requests.Compare, given, options), quiet)


def choose(
    *given: Any, quiet: bool = False, **options: Any
) -> PlannedChoice | PlannedRace | Chosen:
    """The design to use on these images under a budget, or the best of some candidates, and its
    network; see `nextify.requests.Choose`."""
    return carried_out(choosing.choose, _asked(requests.Choose, given, options), quiet)


def attribute(*given: Any, quiet: bool = False, **options: Any) -> Attributed:
    """What an experiment's factors contribute; see `nextify.requests.Attribute`."""
    return carried_out(attributing.attribute, _asked(requests.Attribute, given, options), quiet)


def report(*given: Any, quiet: bool = False, **options: Any) -> ReportFiles:
    """Write the report of a study; see `nextify.requests.Report`."""
    return carried_out(attributing.report, _asked(requests.Report, given, options), quiet)


def data(*given: Any, quiet: bool = False, **options: Any) -> Surveyed:
    """What a set of images holds, and what of it spoils studies; see `nextify.requests.Data`."""
    return carried_out(surveying.data, _asked(requests.Data, given, options), quiet)


def load(
    data: str | PathLike[str] = "embedded", *, quiet: bool = False, **options: Any
) -> LoadedImages:
    """A data set: a folder of images, or a set by name.

    Args:
        options: `image_size`, `split_seed`, `train_limit`, `skip_unreadable`, `permute_pixels`, as
            `nextify.requests.DataSpec` says.
    """
    spec = requests.made(requests.DataSpec, {**options, "data": data})
    with as_a_guest(), hushed(quiet):
        return LoadedImages(spec, load_dataset(spec))


def train(*given: Any, quiet: bool = False, **options: Any) -> TrainedNetwork:
    """Train one network, from scratch or from weights; see `nextify.requests.Train`."""
    request = _asked(requests.Train, given, options)
    found = carried_out(training.train, request, quiet)
    return TrainedNetwork(
        file=found.network, data=request.data, record=found.record, folder=found.folder,
        was_there=found.was_there,
    )  # fmt: skip


def classifier(network: str | PathLike[str]) -> Classifier:
    """The network in a file, also an exported one, or in the folder that training made."""
    return Classifier(file=network_file(Path(network)))


def evaluate(*given: Any, quiet: bool = False, **options: Any) -> Evaluated | EvaluatedSizes:
    """Score a trained network on test images, or at several sizes of them; see
    `nextify.requests.Evaluate`."""
    return carried_out(evaluate_at, _asked(requests.Evaluate, given, options), quiet)


def predict(*given: Any, quiet: bool = False, **options: Any) -> Predictions:
    """Classify images; see `nextify.requests.Predict`."""
    return carried_out(training.predict, _asked(requests.Predict, given, options), quiet)


def export(*given: Any, quiet: bool = False, **options: Any) -> ExportedNetwork:
    """Write a trained network for another runtime, checked on images; see
    `nextify.requests.Export`."""
    return carried_out(exporting.export, _asked(requests.Export, given, options), quiet)


def probe(*given: Any, quiet: bool = False, **options: Any) -> Probed | ProbedStudy:
    """What networks are like, side by side; see `nextify.requests.Probe`."""
    return carried_out(probing.probe, _asked(requests.Probe, given, options), quiet)


def _asked(kind: type[T], given: tuple[Any, ...], options: dict[str, Any]) -> T:
    """The request that arguments make: one that is given or in a file, or else by place and name.

    Raises:
        InputError: too many arguments, an unknown option, a value that is not accepted, or one that
            does nothing.
    """
    options = with_images(kind, options)
    whole = given[0] if given else None
    if isinstance(whole, str | Path) and str(whole).endswith(".toml"):
        whole = requests.read_toml(kind, Path(whole))
    if not isinstance(whole, kind):
        values = _joined(kind, _placed(kind, given), options)
    elif given[1:]:
        raise _unexpected(given[1])
    else:
        images = {name: getattr(whole, name) for name in {"data"} & requests.groups(kind).keys()}
        said = {**with_images(kind, images), **requests.given(whole)}
        values = {**requests.beside(kind, said, options), **options}
    return requests.require_used(requests.made(kind, values))


def _placed(kind: type, given: tuple[Any, ...]) -> dict[str, Any]:
    """Arguments by the places of a command line: the last of these takes all that are left, in
    lists, too. Where a name may be left out, the first may be FIELD=VALUE, which is none."""
    places = [entry for entry in requests.entries(kind) if entry.about.positional]
    if given and isinstance(given[0], str) and "=" in given[0]:
        places = [entry for entry in places if entry.about.many != "?"]
    if places and places[-1].about.many in ("*", "+"):
        alone, rest = given[: len(places) - 1], list(each_of(given[len(places) - 1 :]))
        given = (*alone, rest) if rest else alone
    if len(given) > len(places):
        raise _unexpected(given[len(places)])
    return {entry.key: value for entry, value in zip(places, given, strict=False)}


def _joined(kind: type, placed: dict[str, Any], named: dict[str, Any]) -> dict[str, Any]:
    """Values by their places and by their names; fields to change may be given in both ways.

    Raises:
        InputError: something else is.
    """
    fields, both = requests.field_entry(kind), {**placed, **named}
    for key in placed.keys() & named.keys():
        if fields is None or key != fields.key:
            raise InputError(
                f"{key} is {in_short(placed[key])} by its place and {in_short(named[key])} by its "
                "name; give it once"
            )
        both[key] = requests.accepted(fields, placed[key]) + requests.accepted(fields, named[key])
    return both


def _unexpected(argument: object) -> InputError:
    return InputError(f"unexpected argument {argument!r}; give options by their names")
