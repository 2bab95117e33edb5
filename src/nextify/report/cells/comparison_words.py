"""What a comparison answers, and what its runs can and cannot show, in plain sentences."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from typing import Any

from nextify.designs import Recipe
from nextify.findings import Crossing, Standings
from nextify.report.cells import sentences
from nextify.report.cells.content import ComparisonContent, Line, Row
from nextify.report.cells.sentences import POINTS, Paragraph, between
from nextify.report.details import starts_from
from nextify.words import large, listed, percent, plural, plus_minus, signed, whole

_MOST_NAMES = 4  # in a sentence
_NOT_ALIKE = 1.05  # a larger ratio of costs is no longer about the same
# Fields of recipes that follow from the number of epochs.
_LENGTHS = ("epochs", "warmup_epochs", "step_epochs")


def headline(content: ComparisonContent) -> list[str]:
    """Who is best on the most and on the fewest images, who gains more, who overtakes whom."""
    if nothing := sentences.none_learned(content):
        return [nothing]
    answers = [_best(content, content.found.at[-1]), _settings(content)]
    if content.several:
        answers += [_best(content, content.found.at[0]), gains(content), crossings(content)]
    if content.plan.held_out:
        answers.append(
            "Measured on training images that were held out, to choose settings by: it is no "
            "accuracy on test images."
        )
    return [answer for answer in answers if answer]


def _best(content: ComparisonContent, on: Standings) -> str:
    where = content.on(on.images)
    if on.leader is None:
        return f"No network has a score {where} yet."
    row, *alike = content.highest(on)
    lost = f" ({row.trouble} of {plural(len(row.recorded), 'run')})" if row.trouble else ""
    lead = f", {_against(row)} against {content.baseline}" if row.move.value is not None else ""
    accuracy = f"{plus_minus(row.accuracy, row.half)} %{lost}{lead}"
    highest = f"{row.name} has the highest accuracy {where}, {accuracy}"
    if alike:
        highest = _alike(content, (row, *alike))
    first = [each.name for each in (row, *alike)]
    every = [content.found.networks[at] for at in on.rivals or ()]
    rivals = [name for name in every if name not in first]
    if len(content.found.networks) == 1:
        text = f"{row.name} reaches {accuracy} {where}."
    elif on.rests:
        text = f"{highest}; which is best {on.rests}."
    elif on.rivals is None:
        text = f"{highest}: too few runs to tell that from chance."
    elif alike and not rivals:
        text = f"{highest}."
    elif not rivals:
        text = f"{row.name} is best {where}: {accuracy}{_next(content, row)}."
    else:
        text = f"{highest}; {named(rivals)} cannot be told apart from the best."
    return text + _without_score(content, on.images)


def _alike(content: ComparisonContent, rows: Sequence[Row]) -> str:
    """That several networks have the same mean, and no other a higher one."""
    every = "all" if rows[2:] else "both"
    leads = {signed(row.move.value) for row in rows if row.move.value is not None}
    lead = f", {leads.pop()} points against {content.baseline}" if len(leads) == 1 else ""
    return (
        f"{named([row.name for row in rows])} have the highest accuracy "
        f"{content.on(rows[0].images)}, {every} {percent(rows[0].accuracy)} %{lead}"
    )


def _without_score(content: ComparisonContent, images: int) -> str:
    lost = [
        f"{row.name} ({row.trouble or 'to come'})"
        for row in content.rows_on(images)
        if row.accuracy is None
    ]
    return f" Without a score there: {named(lost)}." if lost else ""


def _settings(content: ComparisonContent) -> str:
    """Where one design was trained with several learning rates: the best rate of each."""
    designs: dict[tuple[Any, ...], list[Row]] = {}
    for row in content.rows_on(content.found.images[-1]):
        what = row.cell.design, starts_from(row.cell), row.cell.recipe_name
        designs.setdefault(what, []).append(row)
    best = [
        _best_rate(rows)
        for rows in designs.values()
        if len({row.cell.recipe.learning_rate for row in rows}) > 1 and any(row.n for row in rows)
    ]
    return f"Best learning rate of each network: {'; '.join(best)}." if best else ""


def _best_rate(rows: Sequence[Row]) -> str:
    best = max(rows, key=lambda row: -1.0 if row.with_diverged is None else row.with_diverged)
    if best.unlearned:
        return f"none of {listed([row.name for row in rows])} ({best.unlearned} learned nothing)"
    rates = [row.cell.recipe.learning_rate for row in rows]
    edge = {min(rates): "lowest", max(rates): "highest"}.get(best.cell.recipe.learning_rate)
    warning = f", the {edge} tried" if edge else ""
    return f"{best.name} ({percent(best.accuracy)} %{warning})"


def _against(row: Row) -> str:
    interval = f" (95 % interval {between(row.move.interval)})" if row.move.interval else ""
    return f"{signed(row.move.value)} points{interval}"


def _next(content: ComparisonContent, best: Row) -> str:
    """Where the baseline is best, the network that comes next."""
    others = [row for row in content.moved if row.images == best.images]
    if best.name != content.baseline or not others:
        return ""
    second = max(others, key=lambda row: row.move.value or 0.0)
    return f"; {second.name} comes next, {_against(second)}"


def gains(content: ComparisonContent) -> str:
    """What the baseline gains from more images, and who gains more or less than it."""
    (fewest, *_, most), (baseline, *others) = content.found.images, content.gains
    start = f"From {whole(fewest)} to {whole(most)} images {baseline.name}"
    if baseline.mean.mean is None:
        return f"{start} has no gain yet: one of the two numbers has no finished run."
    rows = [row for row in content.rows if row.name == baseline.name]
    if any(row.unlearned for row in rows if row.images in (fewest, most)):
        parts = [f"{start} has no gain to tell: it rests on runs that learned nothing."]
    else:
        parts = [f"{start} gains {plus_minus(baseline.mean.mean, baseline.half)} points."]
    for verdict, what in (("up", "more"), ("down", "less")):
        if clear := [row for row in others if row.move.verdict == verdict]:
            parts += [_gaining(clear, what), *_pooled(clear)]
    if rest := [row for row in others if row.move.rests]:
        parts.append(
            sentences.no_verdict(rest).replace("No verdict on", "No verdict on the gain of")
        )
    if unresolved := [row for row in others if row.move.verdict == "not resolved"]:
        told = named([f"{row.name} ({between(row.move.interval)})" for row in unresolved])
        verb = "gains" if len(unresolved) == 1 else "gain"
        parts.append(f"Whether {told} {verb} more or less is not resolved.")
    bare = [f"{r.name} {signed(r.move.value)}" for r in others if r.move.verdict == "no interval"]
    if bare:
        parts.append(f"Against that: {named(bare)}; too few runs for intervals.")
    return " ".join(parts)


def _gaining(rows: Sequence[Line], what: str) -> str:
    """Gains that are resolved to differ from the baseline's, the largest difference first."""
    sizes = {row: abs(row.move.value or 0.0) for row in rows}
    told = [
        f"{row.name} gains {percent(size)} {what} ({between(row.move.interval)})"
        for row, size in sorted(sizes.items(), key=lambda each: -each[1])
    ]
    return f"{named(told)}."


def _pooled(rows: Sequence[Line]) -> list[str]:
    """Where a verdict needs the spread of all networks, that it does."""
    told = [f"{row.name} {between(row.move.own)}" for row in sentences.leaning(rows)]
    text = (
        "That rests on a spread pooled over all networks: from the two networks’ own seeds "
        f"alone ({named(told)}) zero is not excluded."
    )
    return [text] if told else []


def crossings(content: ComparisonContent) -> str:
    """Where a network and the baseline change places, if anywhere."""
    found = content.found.crossings
    over = _between(content, [each for each in found if each.verdict == "up"], "by ")
    under = _between(content, [each for each in found if each.verdict == "down"])
    parts = [f"{content.baseline} is overtaken {over}"] if over else []
    parts += [f"{content.baseline} overtakes {under}"] if under else []
    if not parts:
        return ""
    numbers = content.found.images
    apart = any(numbers.index(each.more) - numbers.index(each.fewer) > 1 for each in found)
    open_there = " On the numbers between these the difference is not resolved." if apart else ""
    return f"{'; '.join(parts)}.{open_there}"


def _between(content: ComparisonContent, found: Sequence[Crossing], before: str = "") -> str:
    """Networks with the numbers of images between which they change places; `before` each."""
    places: dict[tuple[int, int], list[str]] = {}
    for each in found:
        where = places.setdefault((each.fewer, each.more), [])
        where.append(content.found.networks[each.network])
    told = (
        f"{before}{named(names)} between {whole(fewer)} and {whole(more)} images"
        for (fewer, more), names in sorted(places.items())
    )
    return listed(list(told))


def named(names: Sequence[str]) -> str:
    """Names in a sentence; the last of many as their number.

    >>> named(["a", "b", "c"]), named(["a", "b", "c", "d", "e", "f"])
    ('a, b and c', 'a, b, c and 3 others')
    """
    if len(names) <= _MOST_NAMES:
        return listed(list(names))
    return listed([*names[: _MOST_NAMES - 1], f"{len(names) - _MOST_NAMES + 1} others"])


def meaning(content: ComparisonContent) -> list[Paragraph]:
    """Paragraphs on what was equal, what an interval covers, and how sure the answers are."""
    shown = [sentences.no_intervals(content)]
    if content.has_intervals:
        shown = [
            ("What an interval covers.", _covers(content)),
            *[("What was found.", _found(content))] * bool(content.moved),
            *[("What could be found.", _resolution(content))] * bool(content.moved),
            ("Noise.", _noise(content)),
            _assumptions(content),
        ]
    gains = (
        "A gain is a network’s accuracy on the most images less that on the fewest, runs with the "
        "same seed paired; gains have a spread of their own. A point is harder to gain where the "
        "accuracy is high already, so that a network that starts lower often gains more: gains "
        "alone do not say which network is better."
    )
    return [
        ("What was equal.", _equal(content)),
        *shown,
        *[("Gains.", gains)] * content.several,
        *sentences.left_out(content),
    ]


def _equal(content: ComparisonContent) -> str:
    """What all networks had in common, and what not: costs, recipe, images, length."""
    parts = [_cost(content), _start(content), _recipe(content), _length(content)]
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
    amounts = [row.cell.params if matched == "params" else row.cell.macs for row in content.rows]
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


def _start(content: ComparisonContent) -> str:
    """Which networks start from weights; nothing where none does."""
    cells = [content.cell_of(name) for name in content.found.networks]
    trained = [cell.network for cell in cells if cell.initial is not None]
    if not trained:
        return ""
    who = "All start" if len(trained) == len(cells) > 1 else named(trained) + " start"
    who += "s" * (len(trained) == 1)
    others = "" if len(trained) == len(cells) else ", the others from random ones"
    return (
        f"{who} from trained weights{others}: what training these took is in no cost here, and "
        "intervals do not cover that they might have come out otherwise."
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
    settings = named([f"the {name}" for name in differing])
    return (
        f"{text}; of its settings {settings} differ{'s' * (len(differing) == 1)} between networks."
    )


def _differing(content: ComparisonContent) -> list[str]:
    """Settings, but for lengths, in which networks differ on one number of images."""
    found = (
        field.name
        for images in content.found.images
        for field in fields(Recipe)
        if len({getattr(row.cell.recipe, field.name) for row in content.rows_on(images)}) > 1
    )
    return [name for name in dict.fromkeys(found) if name not in _LENGTHS]


def _length(content: ComparisonContent) -> str:
    """How long runs are: in epochs, and in updates where numbers of images differ."""
    on_each = map(content.rows_on, content.found.images)
    epochs = [{row.cell.recipe.epochs for row in rows} for rows in on_each]
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


def _covers(content: ComparisonContent) -> str:
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
    if any(row.mean.wide for row in content.rows):
        text += (
            " The columns …_wide_… of comparison.csv allow, besides, for other test images of the "
            "same kind and number."
        )
    return text


def _found(content: ComparisonContent) -> str:
    rest = sentences.no_verdict(content.moved)
    tested = [row for row in content.moved if row.move.interval and not row.move.rests]
    if not tested:
        return rest or "There is no difference with an interval yet."
    clear = [row for row in tested if row.move.resolved]
    stand = sentences.firm(clear)
    text = (
        f"The intervals of {len(clear)} of {plural(len(tested), 'difference')} to "
        f"{content.baseline} exclude zero. If the networks were alike, "
        f"{sentences.by_chance(len(tested))} of {len(tested)} would be expected to. Judged "
        f"all together (Holm’s correction), {len(stand) or 'none'} stand"
    )
    if 0 < len(stand) < len(clear):
        lost = [row for row in clear if row not in stand]
        text += f"; {_places(lost)} {'does' if len(lost) == 1 else 'do'} not"
    alone = _places(sentences.leaning(clear))
    pooled = (
        "The spread is pooled over all networks; from the two networks’ own seeds alone "
        f"{alone} would not exclude zero. "
    )
    faded = sentences.with_images(_places(sentences.open_with_images(clear)))
    if rest:
        faded = f"{rest} {faded}"
    return f"{text}. {faded}{pooled if alone else ''}“Not resolved” does not mean “no difference”."


def _places(rows: Iterable[Row]) -> str:
    return named([f"{row.name} on {whole(row.images)} images" for row in rows])


def _resolution(content: ComparisonContent) -> str:
    reach = {
        images: percent(max(halves))
        for images in content.found.images
        if (halves := sentences.halves(content.rows_on(images)))
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


def _noise(content: ComparisonContent) -> str:
    known = [on for on in content.found.at if on.spread.within_sd is not None]
    sds = {on.images: f"{POINTS * (on.spread.within_sd or 0.0):.2f}" for on in known}
    text = (
        "From seed to seed a network’s accuracy varies with a standard deviation, in points, of "
        f"{_by_number(sds)}."
    )
    paired = {
        on.images: signed(on.spread.correlation[0])
        for on in known
        if on.spread.correlation[0] is not None
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
        sentences.varies(names[uneven.cell], f"{content.on(on.images)} ", uneven)
        for on, uneven in checked
        if uneven.clearly
    ]
    if odd:
        return sentences.uneven(content, text, listed(odd))
    text += (
        "No network’s spread clearly differs, but so few runs would only show a large difference."
        if checked
        else "There are too few runs to check that."
    )
    return "Assumptions.", text
