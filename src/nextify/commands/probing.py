"""The command probe: what networks are like, side by side, or all those of a study."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from nextify.blueprint import require_image_size
from nextify.commands.watch import QUIET, Watch
from nextify.costs import totals
from nextify.data import Dataset, load
from nextify.designs import NAMED, AnyDesign, design
from nextify.designs.families import canonical
from nextify.designs.fields import read_fields
from nextify.errors import InputError
from nextify.files import is_there, require_writable
from nextify.findings.misread import as_read_now
from nextify.network import Card, Network, build
from nextify.network.weights.hub import PREFIX
from nextify.network.weights.opened import open_network
from nextify.probes import Measurement, Probe, measure, probes_by_word
from nextify.probes.images import as_seen_to_probe, drawn_to_probe, usual_count
from nextify.records import Plan, Store, places
from nextify.report.cells.designs import in_words
from nextify.report.notebook import Shown, View
from nextify.report.page import ReportFiles
from nextify.report.probes import About, ProbedNetwork, ProbesContent
from nextify.report.probes import words as words_of
from nextify.report.probes.files import write_probes
from nextify.requests import Probe as Request
from nextify.requests import command_line, given
from nextify.studies import WorkerSetup
from nextify.studies.running.probing import Asked, ProbedRuns, probe_kept
from nextify.training.classify import load_for
from nextify.training.machine import plain_torch, thread_count, usable_device
from nextify.words import plural

_SQLITE = b"SQLite format 3\0"
_FOR_STUDIES = {"networks", "probes", "data", "workers"}
_OF_DATA = {"split_seed", "train_limit", "skip_unreadable"}


@dataclass(frozen=True, kw_only=True, slots=True, repr=False)
class Probed(Shown):
    """What probes found of networks.

    Attributes:
        content: all numbers of the page. report: the files that were written, if any were.
    """

    content: ProbesContent
    report: ReportFiles | None = None

    @property
    def found(self) -> dict[str, dict[str, Measurement]]:
        """By network and probe."""
        return {each.name: dict(each.found) for each in self.content.networks}

    def _view(self, *, pictures: bool) -> View:
        names = [each.name for each in self.content.networks]
        said = [words_of.on_images(self.content), *words_of.said(self.content)]
        return View(said, [*words_of.HEAD, *names], words_of.rows(self.content))


@dataclass(frozen=True, kw_only=True, slots=True)
class StudyMeasurement:
    """What a probe found of the network of a run."""

    cell: str
    seed: int
    key: str
    found: Measurement

    @property
    def network(self) -> str:
        """The run in words."""
        return f"{self.cell}, seed {self.seed}"


@dataclass(frozen=True, kw_only=True, slots=True)
class ProbedStudy:
    """What probes found of the networks of a study.

    Attributes:
        file: of the study. runs: what was done. measurements: of these probes, also of before.
    """

    file: Path
    runs: ProbedRuns
    measurements: tuple[StudyMeasurement, ...]


def probe(request: Request, watch: Watch = QUIET) -> Probed | ProbedStudy:
    """Measure probes of networks, on the same test images; of a study file, of all its networks
    that are kept.

    Raises:
        InputError: anything that cannot be carried out as asked.
        KeyboardInterrupt: by Ctrl-C; of a study, what is measured is kept.
    """
    probes = probes_asked(request.probes or "default")
    studies = [word for word in request.networks if _is_study(Path(word))]
    if studies:
        return _probe_study(request, probes, watch)
    if request.report:
        require_writable(Path(request.report), "--report")
    device = usable_device(request.device)
    with thread_count(request.threads), plain_torch():  # whatever a probe of one's own has set
        content = _content(request, list(probes.values()), device, watch)
    written = write_probes(content, request.report) if request.report else None
    return Probed(content=content, report=written)


def probes_asked(text: str | None) -> dict[str, Probe]:
    """The probes that an option names, each by the word that gives it alone.

    Raises:
        InputError: one is not known, or two are of one name.
    """
    return probes_by_word([word.strip() for word in text.split(",")]) if text else {}


def _is_study(path: Path) -> bool:
    try:
        if not path.is_file():  # a pipe would be waited for
            return False
        with path.open("rb") as file:
            return file.read(len(_SQLITE)) == _SQLITE
    except (OSError, ValueError):
        return False


@dataclass(frozen=True, kw_only=True, slots=True)
class _Opened:
    """A network, and what is known of its images.

    Attributes:
        images: of a network at initialisation, which is built for them. notes: on how it was read.
    """

    network: Network
    card: Card
    images: Dataset | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class _Subject:
    """A network with the images that it is probed on.

    Attributes:
        images: of which the test images are meant. of: how many these were drawn from.
    """

    opened: _Opened
    images: Dataset
    of: int

    @property
    def knows_classes(self) -> bool:
        """Whether its classes are those of the images."""
        return self.images.classes == self.opened.card.classes


def _content(request: Request, probes: Sequence[Probe], device: str, watch: Watch) -> ProbesContent:
    """All that is measured."""
    asked = _words(request.networks)
    names = [name for name, _ in asked]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise InputError(f"network {twice!r} is named twice; name each once")
    opened = [_opened(request, own) for _, own in asked]
    if request.design is not None and all(each.images is not None for each in opened):
        raise InputError("--design is of weights, and all networks are --untrained; leave it out")
    count = request.images or usual_count(max(_side(request, each) for each in opened))
    subjects = {n: _subject(request, each, count) for n, each in zip(names, opened, strict=True)}
    for each in subjects.values():
        _require_any(probes, len(each.images.test), each.images.test_size)
    first = next(iter(subjects.values()))
    blank = ProbesContent(
        probes=tuple(map(_about, probes)),
        networks=tuple(_told(name, each, {}) for name, each in subjects.items()),
        data=first.images.name,
        source=first.images.source,
        images=len(first.images.test),
        of=first.of,
        seed=request.seed,
        command=command_line(request),
    )
    for line in words_of.read(blank):
        watch.note(line)
    found = {}
    with watch.shares("probes") as show:
        for at, (name, each) in enumerate(subjects.items()):
            tell = partial(_tell, show, name, at, len(names))
            found[name] = _measured(each, probes, request.seed, device, tell)
    networks = tuple(_told(name, each, found[name]) for name, each in subjects.items())
    return replace(blank, networks=networks)


def _tell(show: Any, name: str, at: int, count: int, share: float) -> None:
    show(name, (at + share) / count)  # a line a network in a pipe: a probe may take a moment


def _measured(
    of: _Subject, probes: Sequence[Probe], seed: int, device: str, tell: Any
) -> dict[str, Measurement]:
    """One probe after another."""
    images, labels = as_seen_to_probe(of.images, device)
    network = of.opened.network.to(device)
    found: dict[str, Measurement] = {}
    for at, each in enumerate(probes):
        tell(at / len(probes))
        found |= measure(network, images, [each], labels if of.knows_classes else None, seed)
    tell(1.0)
    return found


def _about(probe: Probe) -> About:
    names = ("name", "title", "unit", "better", "source", "version", "curves")
    return About(**{name: getattr(probe, name) for name in names})


def _told(name: str, of: _Subject, found: dict[str, Measurement]) -> ProbedNetwork:
    card = of.opened.card
    return ProbedNetwork(
        name=name,
        design=in_words(card.design),
        params=totals(card.design, card.image_size, len(card.classes)).params,
        image_size=of.images.test_size,
        is_trained=of.opened.images is None,
        knows_classes=of.knows_classes,
        notes=of.opened.notes,
        found=found,
    )


def _words(words: Sequence[str]) -> list[tuple[str, list[str]]]:
    """Networks as they are named, each with the fields that stand behind it and before all."""
    shared: list[str] = []
    networks: list[tuple[str, list[str]]] = []
    for word in words:
        if "=" not in word or is_there(Path(word)):
            networks.append((word, []))
        else:
            (networks[-1][1] if networks else shared).append(word)
    if not networks:
        raise InputError("no network is named; name one at least, as runs/mine")
    several = [name for name, _ in networks]
    return [
        (" ".join([name, *own]) if several.count(name) > 1 else name, [name, *shared, *own])
        for name, own in networks
    ]


def _opened(request: Request, words: Sequence[str]) -> _Opened:
    """A network from a file, or with `--untrained` of a design."""
    name, *fields = words
    if is_there(Path(name)) or name.startswith(PREFIX):
        given_design = None if request.design is None else design(request.design)
        network, card, notes = open_network(name, given_design, fields)
        return _Opened(network=network, card=card, notes=notes)
    chosen = _untrained(request, name, fields)
    images = load(request.data)
    classes, size = images.classes, images.test_size
    require_image_size(chosen, size)
    network = build(chosen, len(classes), image_size=size, seed=request.seed).eval()
    card = Card(chosen, classes, size, images.mean, images.std, {})
    return _Opened(network=network, card=card, images=images)


def _side(request: Request, of: _Opened) -> int:
    return request.data.image_size or of.card.image_size


def _subject(request: Request, of: _Opened, count: int) -> _Subject:
    """A network with so many images."""
    every = 0

    def few(images: Dataset) -> Dataset:
        nonlocal every
        every = len(images.test)
        if request.images is not None and request.images > every:
            raise InputError(
                f"--images is {request.images}, and {images.name!r} has {every} test images; give "
                f"at most {every}"
            )
        return drawn_to_probe(images, count, request.seed)

    if of.images is not None:
        images = few(of.images)
    else:
        spec = replace(request.data, image_size=None, test_image_size=request.data.image_size)
        images = load_for(of.card, spec, any_classes=True, part=few)
        require_image_size(of.card.design, images.test_size, of.card.image_size)
    return _Subject(opened=of, images=images, of=every)


def _untrained(request: Request, name: str, fields: Sequence[str]) -> AnyDesign:
    """The design of a name, where it is one and is asked for."""
    if not request.untrained:
        try:
            known = canonical(name)
        except InputError:
            raise InputError(
                f"network {name} does not exist; give a folder that train made, a file of weights, "
                f"or with --untrained the name of a design"
            ) from None
        raise InputError(
            f"{name!r} is no file, but a design ({known}); add --untrained for a network of it at "
            "initialisation, or give the folder of a trained one"
        )
    key = canonical(name)
    (changes,) = read_fields(fields, type(NAMED[key]))
    return design(key, **changes)


def _require_any(probes: Sequence[Probe], images: int, side: int) -> None:
    """Check that images are enough, and large enough, for one probe at least."""
    if any(each.needs.images <= images and each.needs.side <= side for each in probes):
        return
    least = min(each.needs.images for each in probes)
    if least > images:
        raise InputError(
            f"there are {plural(images, 'image')}, and the probes that are asked for need {least} "
            "at least; give more"
        )
    least = min(each.needs.side for each in probes)
    raise InputError(
        f"images have {side} pixels a side, and the probes that are asked for need {least} at "
        "least; give larger ones with --image-size"
    )


def _probe_study(request: Request, probes: dict[str, Probe], watch: Watch) -> ProbedStudy:
    if len(request.networks) > 1:
        raise InputError(f"{request.networks[1]!r} stands beside a study file; give a study file "
                         "alone")  # fmt: skip
    asked = given(request)
    known = _FOR_STUDIES | _OF_DATA if "data" in asked else _FOR_STUDIES
    if strange := [name.replace("_", "-") for name in asked if name not in known]:
        raise InputError(f"--{strange[0]} does nothing here: all networks of a study are probed on "
                         "its images and with one seed; leave it out")  # fmt: skip
    file = Path(request.networks[0])
    watch.damage(file)
    with Store.open(file, create=False) as store:
        plan = store.plan()
    setup = setup_of(plan, request)
    told = fill_in(file, probes, setup, watch, request.workers)
    if told.unkept == told.runs > 0:
        raise InputError(
            f"study file {file} has kept no network of its {plural(told.runs, 'finished run')}; "
            "networks are kept where a study is trained with --keep-weights"
        )
    if told.unkept:
        watch.note(unkept_note(told))
    names = {each.name for each in probes.values()}
    with Store.open(file, create=False) as store, store.at_one_moment():
        records = store.records()
        every = as_read_now(plan, records, store.measurements())
    rows = [
        StudyMeasurement(cell=cell, seed=seed, key=record.key, found=found)
        for (cell, seed), record in places(plan, records).items()
        for name, found in every.get(record.key, {}).items()
        if name in names
    ]
    return ProbedStudy(file=file, runs=told, measurements=tuple(rows))


def setup_of(plan: Plan, request: Request) -> WorkerSetup:
    """How a worker loads a study's images: from where they were, or from where the request says,
    and as they were where it says no more."""
    asked = given(request)
    moved = {"source": asked["data"]} if "data" in asked else {}
    moved |= {name: value for name, value in asked.items() if name in _OF_DATA}
    where = replace(plan.where, **moved) if plan.where else request.data
    size = int(plan.data["image_size"])
    return WorkerSetup(replace(where, hold_out=plan.held_out, image_size=size))


def fill_in(
    file: Path,
    probes: dict[str, Probe],
    setup: WorkerSetup,
    watch: Watch,
    workers: int | None,
) -> ProbedRuns:
    """Measure what lacks on a study's kept networks, and note what cannot be."""
    asked = [Asked(word, each.name, each.version) for word, each in probes.items()]
    told = probe_kept(file, asked, setup, workers=workers, progress=watch.progress())
    for run, trouble in told.failures.items():
        watch.note(f"{run}: not probed: {trouble}")
    return told


def unkept_note(told: ProbedRuns) -> str:
    """That runs stay without measurements, in one line."""
    return (
        f"{plural(told.unkept, 'finished run')} of {told.runs} cannot be probed any more: the "
        "networks were not kept (--keep-weights), and no run is trained again for a probe"
    )
