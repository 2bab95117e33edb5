"""What is said before work starts: which images are used, what a plan costs and tells."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from nextify.costs.spread import Spread
from nextify.data import Dataset
from nextify.designs import Path as ChoicePath
from nextify.designs import Recipe
from nextify.records import Damage, Experiment, Plan, kept_as
from nextify.report.details import starts_from
from nextify.studies import Forecast, Phase, Pilot
from nextify.studies.kinds.efforts import MOST_SECONDS, Effort
from nextify.studies.running.cards import PASSES
from nextify.studies.running.summary import Loss
from nextify.words import duration, plural, seconds_in_words, shown

_BLACK = 1 / 32  # the mean of images that are darker than any set of photographs

TELLS: dict[Experiment, str] = {
    "leave-one-out": "each factor undone at the end; nothing of how factors change each other",
    "add-one-in": "each factor made at the start; nothing of how factors change each other",
    "resolution-4": "contributions; of two-factor interactions only sums of several",
    "resolution-5": "contributions and every two-factor interaction",
    "full": "contributions and interactions of every order",
    "permutations": "contributions, from sampled orders",
    "augmented": "what its cells allow",
}


def announced(plan: Plan, seconds: float | None = None, forecasts: Sequence[Forecast] = ()) -> str:
    """A plan in one line."""
    if forecasts:
        of = forecasts[0]
        time = "" if of.seconds is None else f", about {duration(of.seconds)}"
        width = "" if of.half_width is None else f"; intervals of +- {half_width(of)}"
        return f"{of.cells} cells, {of.runs} runs{time}{width}"
    if plan.experiment == "path":
        what = plural(len(plan.cells), "step")
    else:
        networks = len({cell.network for cell in plan.cells})
        numbers = plural(len(plan.cells) // networks, "number")
        what = f"{plural(networks, 'network')} x {numbers} of images"
    text = f"{what} x {plural(len(plan.seeds), 'seed')} = {plural(plan.count, 'run')}"
    return text if seconds is None else f"{text}, about {duration(seconds)}"


def announced_recipes(recipes: Iterable[tuple[str, Recipe, int]]) -> str:
    """How networks are trained, in one line: recipes by name, with the images that they are for.

    >>> from nextify.designs import recipe
    >>> announced_recipes([("modern-small", recipe("modern-small", epochs=49), 1_231)])
    'recipe modern-small: 49 epochs of 19 updates (931), batches of 64'
    """
    every: dict[str, list[str]] = {}
    for name, how, images in recipes:
        steps = images // how.batch_size
        text = (
            f"{plural(how.epochs, 'epoch')} of {plural(steps, 'update')} "
            f"({how.epochs * steps:,}), batches of {how.batch_size}"
            f"{f', {how.crop} crops' if how.crop != 'none' else ''}"
            f"{f' of {how.crop_area:.0%} or more' if how.crop == 'resized' else ''}"
        )
        names = every.setdefault(text, [])
        if name not in names:
            names.append(name)
    return "; ".join(f"recipe {' and '.join(names)}: {text}" for text, names in every.items())


def recipes_of(plan: Plan) -> str:
    """How a plan's cells are trained, in one line."""
    return announced_recipes((c.recipe_name, c.recipe, plan.images_of(c)) for c in plan.cells)


def announced_weights(plan: Plan) -> str | None:
    """What a plan's networks start from, in one line; None where all start from random weights."""
    named = {cell.network: starts_from(cell) for cell in plan.cells if cell.initial is not None}
    if not named:
        return None
    return "weights: " + "; ".join(
        f"{network} starts from {what}" if network else what for network, what in named.items()
    )


def announced_stacks(plan: Plan) -> str | None:
    """That networks are trained at once, in one line; None where they are not."""
    if plan.copies == 1:
        return None
    which = "networks" if all(cell.stacks for cell in plan.cells) else "convolutional networks"
    return (
        f"{which} of one design are trained {plan.copies} at a time, in a stack (--copies); times "
        "are forecast as if each were trained by itself"
    )


def loss_note(loss: Loss) -> str:
    """That no more workers were hired somewhere, in one line."""
    return f"{loss.place} was given up, and others did the rest: {loss.message}"


def announced_path(path: ChoicePath) -> str:
    """Whose choices are tried, and on what maps, in one line."""
    return (
        f"path: {path.name}, from {path.start_name} by {len(path.choices)} choices, with a stride "
        f"of {path.start.stem_stride} in the stem"
    )


def announced_familiar(sources: Sequence[str]) -> str:
    """That candidates know the images by which a race judges."""
    return (
        f"{', '.join(sources)}: trained on these training images, a part of which judges the race; "
        "it may stay in for that. The finals are judged by test images, which it has not seen"
    )


def announced_judges(validation: str) -> str:
    """That held-out images judge the finals, too, in one line: those of a folder, or a fifth."""
    which = f"those in {shown(validation)}/" if validation else "a fifth of the training images"
    return (
        f"finals: judged by held-out images, too ({which}); only the network that is chosen is "
        "tested on the test images"
    )


def announced_phase(phase: Phase) -> str:
    """A part of a choice in one line."""
    time = "" if phase.seconds is None else f", about {duration(phase.seconds)}"
    at_most = "at most " if phase.name in ("race", "finals") else ""
    counts = f"{plural(phase.networks, 'network')}, {plural(phase.runs, 'run')}"
    return f"{phase.name}: {at_most}{counts}{time}"


def announced_effort(
    plans: Sequence[Plan], effort: Effort, seconds: Sequence[float | None], at: int,
    within: str | None,
) -> str:  # fmt: skip
    """How much was decided on and why, in one line.

    Args:
        plans: the screenings that were to be decided between, the most thorough first. effort: of
            the one that is made. seconds: of each whole choice. at: which is made. within: the
            time that was asked for.
    """
    made = plans[at]
    chosen = f"screening: {made.experiment}, {plural(len(made.cells), 'network')}"
    tells = "which tells every interaction of two choices apart"
    if within is not None:
        finals = f"{plural(effort.finalists, 'finalist')} by {plural(effort.final_seeds, 'seed')}"
        part = f" for 1/{effort.shorten} of the epochs" if effort.shorten > 1 else ""
        more = f"; the most thorough takes {duration(seconds[0])}" if at else ""
        return (
            f"{chosen} by {plural(effort.seeds, 'seed')}{part}, {finals}: the whole choice takes "
            f"about {duration(seconds[at])}, within {within}{more}"
        )
    if at == 0:
        about = "no more runs than resolution-4 takes"
        if seconds[0] is not None:
            about = f"the whole choice takes about {duration(seconds[0])}"
        return f"{chosen}, {tells}: {about}; --experiment says otherwise"
    about = (
        f"and nothing was timed: that is {plural(plans[0].count, 'run')} instead of {made.count}"
    )
    if seconds[0] is not None:
        about = (
            f"the whole choice takes about {duration(seconds[0])}, and more than "
            f"{duration(MOST_SECONDS)}"
        )
    return (
        f"{chosen}: with resolution-5, {tells}, {about}; --experiment resolution-5 for it, "
        "--within TIME for less"
    )


def announced_latency(name: str, took: Spread, allowed: float) -> str:
    """What a network takes for one image, and whether that is within the budget, in one line."""
    words, near = seconds_in_words, took.low <= allowed <= took.high
    rounds = f"half of {took.count} rounds from {words(took.low)} to {words(took.high)}"
    verdict = f"within {words(allowed)}" if took.median <= allowed else (
        f"over {words(allowed)}, so it is no candidate")  # fmt: skip
    doubt = ", so near that another measurement may say otherwise" * near
    return f"latency of {name}: {words(took.median)} ({rounds}), {verdict}{doubt}"


def left_out_note(reasons: Mapping[str, str]) -> str | None:
    """Networks of a screening that the budget does not allow, by name; None if there are none."""
    if not reasons:
        return None
    name, why = next(iter(reasons.items()))
    return f"{plural(len(reasons), 'network')} left out, the first {name}: {why}"


def half_width(of: Forecast) -> str:
    """Of a contribution's interval, in standard deviations and, where these are known, points."""
    if of.half_width is None:
        return "?"
    points = "" if of.points is None else f" = {of.points:.2f} points"
    return f"{of.half_width:.2f} sd{points}"


def pilot_note(plan: Plan, pilot: Pilot | None, what: str) -> str | None:
    """What a pilot could not time; None if it could time all."""
    if pilot is None:
        work = PASSES * sum(float(plan.work_of(c)) * len(plan.seeds_of(c)) for c in plan.cells)
        return (
            "timing skipped: even the first steps take longer than a pilot may (two minutes); by "
            f"their MACs all runs together make {work:.1e} multiply-accumulates"
        )
    if pilot.by_macs:
        return f"{plural(pilot.by_macs, what)} too dear to be timed, forecast by MACs"
    return None


def damage_note(file: Path, damage: Damage, *, goes_on: bool) -> str:
    """What is damaged in a study file, and what becomes of it; `goes_on`: the study does, now."""
    count = len(damage.runs) + damage.unknown
    names = [f"{each.cells[0]}, seed {each.seed}" for each in damage.runs[:3]]
    named = f" ({'; '.join(names)}{'; ...' if count > len(names) else ''})" if names else ""
    then = "trained again" if goes_on else "left out until the study's command trains them again"
    told = [f"{plural(count, 'record')} lost{named}, {then}"] if count else ["no record is lost"]
    if not damage.has_plan:
        told.append("its plan is written anew")
    if damage.history:
        told.append(f"{plural(damage.history, 'row')} of its history lost")
    if damage.probes:
        told.append(f"{plural(damage.probes, 'measurement')} of probes lost")
    if goes_on and damage.is_broken:
        told.append(f"as it was, it is kept as {kept_as(file)}")
    return f"study file {file} is damaged: {'; '.join(told)}"


def skipped_note(names: Sequence[str]) -> str:
    """How many unreadable images were left out."""
    return f"{plural(len(names), 'unreadable image')} left out, the first {shown(names[0])}"


_SHOWN = 6  # classes, endings or folders that are named; of more, the rest is counted


def announced_images(dataset: Dataset) -> str:
    """Which images are used and how, in a few lines: what was found, taken, left out, resized."""
    lines = [
        _counted(dataset),
        _classes(dataset),
        _largest_class(dataset),
        _size(dataset),
        *announced_left_out(dataset.origin.left_out, dataset.origin.outside),
    ]
    if not dataset.is_streamed and max(dataset.mean) < _BLACK:
        lines.append(
            f"nearly black: the training images' mean is {max(dataset.mean):.1%} of white; files "
            "of 16 bits are read as 0 to 65,535: scale them before where theirs end elsewhere"
        )
    if same := dataset.origin.duplicates:
        lines.append(
            f"duplicates: {same:,} of the {len(dataset.test):,} test images are also among the "
            "training images, byte for byte: on these, accuracy tells what was remembered"
        )
    return "\n".join(lines)


def announced_predictions(images: int, classes: Sequence[str], size: int) -> str:
    """What is classified, into what, and how it is seen."""
    return (
        f"{plural(images, 'image')} to classify; classes of the network: {len(classes)} "
        f"({_some(list(map(shown, classes)))}); seen at {size} pixels a side"
    )


def _counted(dataset: Dataset) -> str:
    train, test = len(dataset.train), len(dataset.test)
    if dataset.origin.all_tested:
        return f"images: {shown(dataset.name)}, all {test:,} to test on (there are no splits)"
    limit = dataset.origin.limited_from
    of = "" if limit is None else f" of {limit:,}"
    told = (
        f"images: {shown(dataset.name)}, {train:,}{of} to train on and {test:,} to test on"
        f"{_split(dataset)}"
    )
    if dataset.validation is not None:
        name = shown(dataset.origin.validation)
        which = f"{name}/" if name else "a fifth of the training images, held out"
        told += f"; {len(dataset.validation):,} to choose the best epoch by ({which})"
    return told


def stopped_for(look: int, planned: int) -> str:
    """Why a study with planned looks has not made all its runs.

    >>> stopped_for(1, 2)
    'stopped for look 1 of 2; the same command goes on to look 2'
    """
    return f"stopped for look {look} of {planned}; the same command goes on to look {look + 1}"


def _split(dataset: Dataset) -> str:
    origin = dataset.origin
    if origin.held_out and not origin.validation:
        return " (a fifth of the training images, held out)"
    if origin.split_seed is not None:
        return f" (a fifth of each class, drawn with split seed {origin.split_seed})"
    return f" ({shown(origin.train)}/ and {shown(origin.test)}/)" if origin.test else ""


def _classes(dataset: Dataset) -> str:
    train, test = dataset.counts()
    if dataset.origin.all_tested:
        counts, what = [f"{n:,}" for n in test], ""
    else:
        counts = [f"{n:,}+{m:,}" for n, m in zip(train, test, strict=True)]
        what = " (training + test images)"
    if dataset.origin.reordered:
        what += " in the order of the network's outputs, by name"
    every = [f"{shown(name)} {n}" for name, n in zip(dataset.classes, counts, strict=True)]
    return f"{len(every)} classes{what}: {_some(every)}"


def _largest_class(dataset: Dataset) -> str:
    train, test = dataset.counts()
    counts = test if dataset.origin.all_tested else train
    at = max(range(len(counts)), key=counts.__getitem__)
    is_one = min(counts) < max(counts)
    which = f"largest class: {shown(dataset.classes[at])}" if is_one else "each class"
    return (
        f"{which}, {counts[at] / sum(counts):.1%} of the "
        f"{'' if dataset.origin.all_tested else 'training '}images; always to answer it scores "
        f"{test[at] / sum(test):.1%}"
    )


def _size(dataset: Dataset) -> str:
    size, other, crop = dataset.image_size, dataset.test_size, dataset.origin.crop
    if crop is not None:
        way = f"the middle of each image, its shorter side resized to {crop}"
    else:
        way = "the largest centred square of each image, resized"
    at = f"{size} pixels a side" + (f" (tested at {other})" if other != size else "")
    if crop is not None:
        at = f"{other} pixels a side"
    where = "decoded from their files as they are needed" if dataset.is_streamed else "in memory"
    seed = dataset.origin.permuted
    order = "" if seed is None else f"; pixels permuted, one order for all images (seed {seed})"
    return f"seen at {at}: {way}; {where}{order}"


_REASONS = {
    "hidden": "hidden",
    "special": "pipes, sockets or devices",
    "loose": "images outside the class folders",
    "known": "links to folders that are read already",
}
_FOLDERS = {
    "folder": "left by other programs",
    "own": "results of nextify",
    "split": "other splits",
    "beside": "beside the splits",
}


def announced_left_out(
    left_out: Mapping[tuple[str, str], int], outside: Mapping[str, int]
) -> list[str]:
    """What a walk through a folder did not take, and what it took from elsewhere; nothing, if there
    is neither."""
    endings = [f"{n:,} {shown(what) or 'without an ending'}"
               for (reason, what), n in left_out.items() if reason == "suffix"]  # fmt: skip
    parts = [_some(endings)] * bool(endings)
    for reason, words in _REASONS.items():
        if number := sum(n for (each, _), n in left_out.items() if each == reason):
            parts.append(f"{number:,} {words}")
    for reason, words in _FOLDERS.items():
        names = [f"{shown(what)}/" for each, what in left_out if each == reason]
        if names:
            parts.append(f"{_some(names)} ({words})")
    lines = [f"left out: {'; '.join(parts)}"] * bool(parts)
    if outside:
        behind = _some([shown(name) for name in outside])
        count = plural(sum(outside.values()), "image")
        lines.append(f"links: {count} from outside the folder, by the links {behind}")
    return lines


def _some(items: Sequence[str]) -> str:
    """The first few, and how many more there are."""
    more = len(items) - _SHOWN
    return ", ".join(items) if more <= 1 else f"{', '.join(items[:_SHOWN])} and {more:,} more"


def evaluated_note(was_trained_on: bool, dataset: Dataset) -> str | None:
    """What a score is worth: whether the network may have seen the images that it is of."""
    if dataset.origin.split_seed is not None and was_trained_on:
        return (
            "the network was trained on the other images of this folder: it is scored on the fifth "
            "that was kept from it"
        )
    if not was_trained_on:
        return (
            "these are not the images, or not the split, that the network was trained and tested "
            "with: some test images may be among its training images"
        )
    return None


def calibrated_note(temperature: float, file: str) -> str:
    """That a network has a temperature now, and where."""
    return f"temperature {temperature:.3f} is kept in {file}; no answer changes by it"
