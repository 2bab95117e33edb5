"""What the runs of a comparison can and cannot show, in plain sentences made from the numbers."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict

from nextify.report.comparison.content import ComparisonContent, NetworkRow
from nextify.report.comparison.words import named
from nextify.report.words import left_out
from nextify.words import large, listed, percent, plural, signed, whole

Paragraph = tuple[str, str]  # a heading word and the text

_POINTS = 100.0  # accuracy as a fraction to percentage points
_NOT_ALIKE = 1.05  # a larger ratio of costs is no longer about the same
# Fields of recipes that follow from the number of epochs.
_LENGTHS = ("epochs", "warmup_epochs", "step_epochs")


def meaning(content: ComparisonContent) -> list[Paragraph]:
    """Paragraphs on what was equal, what an interval covers, and how sure the answers are."""
    return [
        ("What was equal.", equal(content)),
        *(_with_intervals(content) if content.has_intervals else [_without(content)]),
        *([("Gains.", _about_gains(content))] if content.several else []),
        *left_out(content, "network"),
    ]


def _with_intervals(content: ComparisonContent) -> list[Paragraph]:
    return [
        ("What an interval covers.", covers(content)),
        *([("What was found.", _found(content))] if content.moved else []),
        *([("What could be found.", _resolution(content))] if content.moved else []),
        ("Noise.", _noise(content)),
        _assumptions(content),
    ]


def _without(content: ComparisonContent) -> Paragraph:
    if len(content.plan.seeds) == 1:
        why = "Each network was trained with one seed."
    else:
        why = "No network has two finished runs that show a spread."
    return "No intervals.", (
        f"{why} How far runs differ by chance alone is then unknown, no interval is possible, and "
        "none is drawn. Any difference on this page may be chance. Two seeds give intervals; "
        "three give better ones."
    )


def equal(content: ComparisonContent) -> str:
    """What all networks had in common, and what not: costs, recipe, images, length."""
    parts = [_cost(content), _recipe(content), _length(content)]
    if content.draws and len(content.found.networks) > 1:
        parts.append(
            "With one seed all networks are trained on the same draw of the images, each class "
            "with its share."
        )
    return " ".join(part for part in parts if part)


def _cost(content: ComparisonContent) -> str:
    matched = content.plan.matched
    if len(content.found.networks) == 1:
        return ""
    amounts = [row.params if matched == "params" else row.macs for row in content.rows]
    what = "parameters" if matched == "params" else "MACs an image"
    low, high = large(min(amounts)), large(max(amounts))
    size = low if low == high else f"{low} to {high}"
    if matched:
        return f"Widths were rescaled until all networks cost the same: {size} {what}."
    if max(amounts) <= _NOT_ALIKE * min(amounts):
        return f"All networks cost about the same: {size} {what}."
    return (
        f"The networks do not cost the same: {size} {what}. A difference may be due to that alone."
    )


def _recipe(content: ComparisonContent) -> str:
    names = sorted({cell.recipe_name for cell in content.plan.cells})
    if len(names) > 1:
        return f"Recipes differ: {listed(names)}."
    differing = [name.replace("_", " ") for name in _differing(content)]
    who = "All are" if len(content.found.networks) > 1 else "It is"
    text = f"{who} trained with recipe {names[0]}"
    if not differing:
        return f"{text}."
    fields = named([f"the {name}" for name in differing])
    return f"{text}; of its settings {fields} differ{'s' * (len(differing) == 1)} between networks."


def _differing(content: ComparisonContent) -> list[str]:
    """Settings, but for lengths, in which networks differ on one number of images."""
    found: dict[str, None] = {}
    for images in content.found.images:
        recipes = [
            asdict(content.cells[row.network, images].recipe) for row in content.rows_on(images)
        ]
        for name in recipes[0]:
            if any(recipe[name] != recipes[0][name] for recipe in recipes):
                found[name] = None
    return [name for name in found if name not in _LENGTHS]


def _length(content: ComparisonContent) -> str:
    """How long runs are: in epochs, and in updates where numbers of images differ."""
    epochs = [{row.epochs for row in content.rows_on(images)} for images in content.found.images]
    updates = [row.updates for row in content.rows]
    if any(len(each) > 1 for each in epochs):
        return "Epochs differ between networks: the table of training has them."
    first, last = next(iter(epochs[0])), next(iter(epochs[-1]))
    made = f"{whole(min(updates))} to {whole(max(updates))} updates"
    if min(updates) == max(updates):
        made = f"{whole(updates[0])} updates"
    if len(set.union(*epochs)) == 1:
        tail = ": fewer images also mean fewer updates" if content.several else ""
        return f"Every run makes {plural(last, 'epoch')}, {made}{tail}."
    return (
        f"Fewer images are gone over more often: {first:,} epochs on the fewest, {last:,} on the "
        f"most, which makes {made}."
    )


def covers(content: ComparisonContent) -> str:
    """The population that an interval speaks of."""
    train = content.plan.data.get("train")
    text = (
        "The mean over new seeds: the same designs and recipes trained again and tested on the "
        f"same {'held-out' if content.plan.held_out else 'test'} images."
    )
    if content.draws:
        every = "" if train is None else f" {whole(train)}"
        same = any(cell.images is None for cell in content.plan.cells)
        alike = ", and on all images every seed trains on the same ones" if same else ""
        text += (
            f" A seed also draws the training images from the study’s{every}, so that the "
            f"intervals cover new draws from these, too. Large draws overlap{alike}: of images "
            "from elsewhere the intervals do not speak"
        )
    else:
        text += (
            " Every seed trains on the same training images: of others the intervals do not speak"
        )
    text += ", nor of other data or other recipes."
    if any(row.accuracy_wide_low is not None for row in content.rows):
        text += (
            " The columns …_wide_… of comparison.csv allow, besides, for other test images of the "
            "same kind and number."
        )
    return text


def _found(content: ComparisonContent) -> str:
    tested = [row for row in content.moved if row.difference_interval]
    if not tested:
        return "There is no difference with an interval yet."
    clear = [row for row in tested if row.verdict in ("up", "down")]
    firm = [row for row in tested if row.p_holm is not None and row.p_holm < 0.05]
    text = (
        f"The intervals of {len(clear)} of {plural(len(tested), 'difference')} to "
        f"{content.baseline} exclude zero. If the networks were alike, {0.05 * len(tested):.1f} of "
        f"{len(tested)} would be expected to. Judged all together (Holm’s correction), "
        f"{len(firm) or 'none'} stand"
    )
    if firm and len(firm) < len(clear):
        lost = [_place(row) for row in clear if row not in firm]
        text += f"; {named(lost)} {'does' if len(lost) == 1 else 'do'} not"
    return (
        f"{text}. {_with_images(clear)}{_alone(clear)}“Not resolved” does not mean “no difference”."
    )


def _place(row: NetworkRow) -> str:
    return f"{row.network} on {whole(row.images)} images"


def _with_images(clear: Iterable[NetworkRow]) -> str:
    """Which of the clear differences an interval for new test images would not exclude."""
    lost = [
        _place(row)
        for row in clear
        if row.difference_wide_low is not None
        and row.difference_wide_high is not None
        and row.difference_wide_low <= 0 <= row.difference_wide_high
    ]
    return f"With new test images too, {named(lost)} would no longer exclude zero. " if lost else ""


def _alone(clear: Iterable[NetworkRow]) -> str:
    """Which of the clear differences the two networks' own seeds would not exclude from zero."""
    lost = [
        _place(row)
        for row in clear
        if row.difference_own_low is not None
        and row.difference_own_high is not None
        and row.difference_own_low <= 0 <= row.difference_own_high
    ]
    if not lost:
        return ""
    return (
        "The spread is pooled over all networks; from the two networks’ own seeds alone "
        f"{named(lost)} would not exclude zero. "
    )


def _resolution(content: ComparisonContent) -> str:
    reach = {
        images: percent(max(halves))
        for images in content.found.images
        if (halves := [_half(row) for row in content.rows_on(images) if row.difference_interval])
    }
    if not reach:
        return "Nothing yet: that takes two networks with two finished runs each."
    return (
        f"With n = {content.sizes} runs, a measured difference had to reach {_by_number(reach)}, "
        "in points, to be told from zero. Halving that takes four times as many seeds."
    )


def _by_number(told: Mapping[int, str]) -> str:
    """Something told of each number of images.

    >>> _by_number({1000: "0.8", 2000: "0.5"}), _by_number({1000: "0.8"})
    ('0.8 on 1,000 and 0.5 on 2,000 images', '0.8')
    """
    if len(told) == 1:
        return next(iter(told.values()))
    return f"{listed([f'{text} on {whole(images)}' for images, text in told.items()])} images"


def _half(row: NetworkRow) -> float:
    low, high = row.difference_interval or (0.0, 0.0)
    return (high - low) / 2


def _noise(content: ComparisonContent) -> str:
    known = [on for on in content.found.at if on.spread.within_sd is not None]
    sds = {on.images: f"{_POINTS * (on.spread.within_sd or 0.0):.2f}" for on in known}
    text = (
        "From seed to seed a network’s accuracy varies with a standard deviation, in points, of "
        f"{_by_number(sds)}."
    )
    paired = {
        on.images: signed(on.spread.correlation)
        for on in known
        if on.spread.correlation is not None
    }
    if not paired:
        return text
    return (
        f"{text} Differences compare runs with the same seed; the correlation of such runs across "
        f"networks is {_by_number(paired)}. Above zero, pairing makes intervals narrower."
    )


def _assumptions(content: ComparisonContent) -> Paragraph:
    if len(content.found.networks) == 1:
        return "Assumptions.", (
            "Scores on one number of images vary normally about the network’s mean there; each "
            "number has a spread of its own."
        )
    text = (
        f"{'On each number of images by itself, a' if content.several else 'A'} score is a "
        "network’s part plus a seed’s part plus normal noise with the same spread for every "
        "network: a network’s own few runs are not enough to judge its spread by. "
    )
    checked = [(on, on.spread.uneven) for on in content.found.at if on.spread.uneven]
    names = content.found.networks
    odd = [
        f"{names[uneven.cell]} varies more than the others {content.on(on.images)} "
        f"({_POINTS * uneven.sd:.2f} points against {_POINTS * uneven.others:.2f}; corrected "
        f"p = {max(uneven.p, 0.0001):.1g})"
        for on, uneven in checked
        if uneven.clearly
    ]
    if odd:
        return "Warning: an assumption does not hold.", (
            f"{text}Here {listed(odd)}. Intervals that involve it are too narrow, the others "
            "there too wide. The columns difference_own_… of comparison.csv rest on each pair of "
            "networks alone."
        )
    if not checked:
        return "Assumptions.", text + "There are too few runs to check that."
    return "Assumptions.", (
        text + "No network’s spread clearly differs, but so few runs would only show a large "
        "difference."
    )


def _about_gains(content: ComparisonContent) -> str:
    return (
        "A gain is a network’s accuracy on the most images less that on the fewest, runs with the "
        "same seed paired; gains have a spread of their own. A point is harder to gain where the "
        "accuracy is high already, so that a network that starts lower often gains more: gains "
        "alone do not say which network is better."
    )
