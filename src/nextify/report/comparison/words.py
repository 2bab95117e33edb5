"""The answer of a comparison in plain sentences made from its numbers."""

from collections.abc import Sequence

from nextify.designs import AnyDesign
from nextify.findings import Crossing, Standings
from nextify.report.comparison.content import ComparisonContent, GainRow, NetworkRow
from nextify.words import listed, percent, plural, plus_minus, signed, span, whole

_MOST_NAMES = 4  # in a sentence


def headline(content: ComparisonContent) -> list[str]:
    """Who is best on the most and on the fewest images, who gains more, who overtakes whom."""
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
    row = content.row(content.found.networks[on.leader], on.images)
    assert row is not None  # a leader has a score
    accuracy = f"{plus_minus(row.accuracy, row.interval)} %{_lost(row)}{_lead(content, row)}"
    highest = f"{row.network} has the highest accuracy {where}, {accuracy}"
    rivals = [content.found.networks[at] for at in on.rivals or () if at != on.leader]
    if len(content.found.networks) == 1:
        text = f"{row.network} reaches {accuracy} {where}."
    elif on.rivals is None:
        text = f"{highest}: too few runs to tell that from chance."
    elif not rivals:
        text = f"{row.network} is best {where}: {accuracy}{_next(content, row)}."
    else:
        text = f"{highest}; {named(rivals)} cannot be told apart from the best."
    return text + _without_score(content, on.images)


def _without_score(content: ComparisonContent, images: int) -> str:
    lost = [
        f"{row.network} ({row.trouble or 'to come'})"
        for row in content.rows_on(images)
        if row.accuracy is None
    ]
    return f" Without a score there: {named(lost)}." if lost else ""


def _settings(content: ComparisonContent) -> str:
    """Where one design was trained with several learning rates: the best rate of each."""
    designs: dict[AnyDesign, list[NetworkRow]] = {}
    for row in content.rows_on(content.found.images[-1]):
        designs.setdefault(content.cell_of(row.network).design, []).append(row)
    tried = [rows for rows in designs.values() if len({row.learning_rate for row in rows}) > 1]
    best = [_best_rate(rows) for rows in tried if any(row.accuracy is not None for row in rows)]
    return f"Best learning rate of each network: {'; '.join(best)}." if best else ""


def _best_rate(rows: Sequence[NetworkRow]) -> str:
    best = max(rows, key=lambda row: -1.0 if row.accuracy is None else row.accuracy)
    rates = [row.learning_rate for row in rows]
    edge = {min(rates): "lowest", max(rates): "highest"}.get(best.learning_rate)
    warning = f", the {edge} tried" if edge else ""
    return f"{best.network} ({percent(best.accuracy)} %{warning})"


def _lost(row: NetworkRow) -> str:
    """On runs of the row that gave no score: its mean is of the others."""
    runs = row.n + row.diverged + row.failed
    return f" ({row.trouble} of {plural(runs, 'run')})" if row.trouble else ""


def _lead(content: ComparisonContent, row: NetworkRow) -> str:
    return "" if row.difference is None else f", {_against(row)} against {content.baseline}"


def _against(row: NetworkRow) -> str:
    within = row.difference_interval
    interval = f" (95 % interval {span(*within)})" if within else ""
    return f"{signed(row.difference)} points{interval}"


def _next(content: ComparisonContent, best: NetworkRow) -> str:
    """Where the baseline is best, the network that comes next."""
    others = [row for row in content.moved if row.images == best.images]
    if best.network != content.baseline or not others:
        return ""
    second = max(others, key=lambda row: row.difference or 0.0)
    return f"; {second.network} comes next, {_against(second)}"


def gains(content: ComparisonContent) -> str:
    """What the baseline gains from more images, and who gains more or less than it."""
    found, (baseline, *others) = content.found.gains, content.gains
    assert found is not None  # with several numbers of images there are gains
    start = f"From {whole(found.smallest)} to {whole(found.largest)} images {baseline.network}"
    if baseline.gain is None:
        return f"{start} has no gain yet: one of the two numbers has no finished run."
    sentences = [f"{start} gains {plus_minus(baseline.gain, baseline.interval)} points."]
    for verdict, what in (("up", "more"), ("down", "less")):
        told = [row for row in others if row.verdict == verdict]
        if told:
            sentences += [_gaining(told, what), *_pooled(told)]
    unresolved = [
        f"{row.network} {_interval(row)}" for row in others if row.verdict == "not resolved"
    ]
    if unresolved:
        verb = "gains" if len(unresolved) == 1 else "gain"
        sentences.append(f"Whether {named(unresolved)} {verb} more or less is not resolved.")
    bare = [f"{r.network} {signed(r.difference)}" for r in others if r.verdict == "no interval"]
    if bare:
        sentences.append(f"Against that: {named(bare)}; too few runs for intervals.")
    return " ".join(sentences)


def _gaining(rows: Sequence[GainRow], what: str) -> str:
    """Gains that are resolved to differ from the baseline's, the largest difference first."""
    ordered = sorted(rows, key=lambda row: -abs(row.difference or 0.0))
    told = [
        f"{row.network} gains {percent(abs(row.difference or 0.0))} {what} {_interval(row)}"
        for row in ordered
    ]
    return f"{named(told)}."


def _pooled(rows: Sequence[GainRow]) -> list[str]:
    """Where a verdict needs the spread of all networks, that it does."""
    told = [
        f"{row.network} {span(row.difference_own_low, row.difference_own_high)}"
        for row in rows
        if row.rests_on_pooling and row.difference_own_low is not None
    ]
    if not told:
        return []
    return [
        "That rests on a spread pooled over all networks: from the two networks’ own seeds "
        f"alone ({named(told)}) zero is not excluded."
    ]


def _interval(row: GainRow) -> str:
    return f"({span(row.difference_low, row.difference_high)})"


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
    apart = any(
        numbers.index(each.more) - numbers.index(each.fewer) > 1 for each in content.found.crossings
    )
    between = " On the numbers between these the difference is not resolved." if apart else ""
    return f"{'; '.join(parts)}.{between}"


def _between(content: ComparisonContent, found: Sequence[Crossing], before: str = "") -> str:
    """Networks with the numbers of images between which they change places; `before` each."""
    places: dict[tuple[int, int], list[str]] = {}
    for each in found:
        where = places.setdefault((each.fewer, each.more), [])
        where.append(content.found.networks[each.network])
    return listed(
        [
            f"{before}{named(names)} between {whole(fewer)} and {whole(more)} images"
            for (fewer, more), names in sorted(places.items())
        ]
    )


def named(names: Sequence[str]) -> str:
    """Names in a sentence; the last of many as their number.

    >>> named(["a", "b", "c"]), named(["a", "b", "c", "d", "e", "f"])
    ('a, b and c', 'a, b, c and 3 others')
    """
    if len(names) <= _MOST_NAMES:
        return listed(list(names))
    return listed([*names[: _MOST_NAMES - 1], f"{len(names) - _MOST_NAMES + 1} others"])


def accuracy_caption(content: ComparisonContent) -> str:
    """What the marks of the main figure stand for."""
    every = f"n = {content.sizes}"
    if not content.has_intervals:
        drawn = f"Each mark is one run ({every}): no interval is possible."
    else:
        drawn = (
            f"A mark for the mean of {every} runs, a thin line for each run, a bar for the 95 % "
            f"interval over {population(content)}."
        )
    if not content.moved:
        return drawn
    place = "Below" if content.several else "Right"
    side = " Networks stand side by side about each number of images." if content.several else ""
    return (
        f"{drawn} {place}, the difference to {content.baseline}: filled where its interval "
        f"excludes zero, hollow where it does not.{side}"
    )


def population(content: ComparisonContent) -> str:
    """What is new in what an interval covers."""
    if content.draws:
        return "new seeds and, where images are drawn, new draws"
    return "new seeds"
