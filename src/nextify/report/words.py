"""What the numbers mean, in plain sentences made from them."""

from nextify.findings import Spread
from nextify.report.content import Content, Row, StudyContent
from nextify.words import listed, percent, plural, signed, span, whole

_POINTS = 100.0  # accuracy as a fraction to percentage points


def headline(content: Content) -> str:
    """The study in one or two sentences: where it started, where it ended."""
    first, last = content.rows[0], content.rows[-1]
    overall = content.steps.overall
    if overall is None:
        if len(content.rows) == 1 and first.accuracy is not None:
            return f"{first.name}: {percent(first.accuracy)} % of test images right."
        return "The path's two ends cannot be compared yet: one of them has no finished run."
    ends = (
        f"From {first.name} ({percent(first.accuracy)} %) to {last.name} "
        f"({percent(last.accuracy)} %): {signed(_POINTS * overall.value)} points"
    )
    if overall.interval is None:
        return f"{ends}; too few runs for an interval."
    low, high = _POINTS * overall.interval.low, _POINTS * overall.interval.high
    return f"{ends}, 95 % interval {span(low, high)}."


def progress(content: StudyContent) -> str:
    """How much of the plan is recorded, and what became of it."""
    counts, planned = content.counts, content.planned
    if content.recorded == planned:
        text = f"All {plural(planned, 'run')} recorded"
    else:
        text = f"{content.recorded} of {plural(planned, 'run')} recorded so far"
    trouble = [f"{counts[what]} {what}" for what in ("diverged", "failed") if counts[what]]
    return f"{text}; {listed(trouble)}." if trouble else f"{text}."


def meaning(content: Content) -> list[tuple[str, str]]:
    """Paragraphs on what these runs can and cannot show: a heading word and the text."""
    if not content.has_intervals:
        return [
            ("No intervals.", _one_seed(content)),
            *_order(content),
            *left_out(content, "step"),
        ]
    return [
        ("What was found.", _found(content)),
        ("What could be found.", _resolution(content)),
        ("What an interval covers.", _population(content)),
        ("Noise.", _noise(content)),
        _assumptions(content),
        *_order(content),
        *left_out(content, "step"),
    ]


def _order(content: Content) -> list[tuple[str, str]]:
    text = (
        "A difference belongs to its place in the path: the same choices in another order would "
        "give other differences, because choices act on one another. It is not the choice’s own "
        "worth."
    )
    return [("Order.", text)] if len(content.rows) > 1 else []


def _one_seed(content: Content) -> str:
    if len(content.plan.seeds) == 1:
        why = "Each step was trained with one seed."
    else:
        why = "No step has two finished runs that show a spread."
    return (
        f"{why} How far runs differ by chance alone is then unknown, no interval is possible, and "
        "none is drawn. Any difference on this page may be chance. Two seeds give intervals; "
        "three give better ones."
    )


def _found(content: Content) -> str:
    tested = [row for row, _ in content.compared if row.difference_interval]
    if not tested:
        return "There is no difference with an interval yet."
    clear = [row for row in tested if row.verdict in ("up", "down")]
    names = [f"{row.name} ({signed(row.difference)})" for row in clear]
    chance = 0.05 * len(tested)
    share = f"{len(clear)} of {plural(len(tested), 'difference')}"
    text = f"The intervals of {share} exclude zero" + (f": {listed(names)}. " if names else ". ")
    text += f"If no step did anything, {chance:.1f} of {len(tested)} would be expected to. "
    firm = [row.name for row in tested if row.p_holm is not None and row.p_holm < 0.05]
    text += f"Judged all together (Holm’s correction), {len(firm)} of them stand"
    if firm and len(firm) < len(clear):
        text += f": {listed(firm)}"
    return f"{text}. {_with_images(clear)}“Not resolved” does not mean “no effect”."


def _with_images(clear: list[Row]) -> str:
    """Which of the clear differences an interval for new test images would not exclude."""
    lost = [
        row.name
        for row in clear
        if row.difference_wide_low is not None
        and row.difference_wide_high is not None
        and row.difference_wide_low <= 0 <= row.difference_wide_high
    ]
    if not lost:
        return ""
    return f"With new test images too, {listed(lost)} would no longer exclude zero. "


def _resolution(content: Content) -> str:
    halves = [
        (row.difference_interval[1] - row.difference_interval[0]) / 2
        for row in content.rows
        if row.difference_interval
    ]
    if not halves:
        return "Nothing yet: that takes neighbouring steps with two finished runs each."
    low, high = min(halves), max(halves)
    size = percent(high) if high - low < 0.005 else f"{percent(low)} to {percent(high)}"
    return (
        f"With n = {content.sizes} runs a step, a measured difference had to reach "
        f"{size} points to be told from zero. Halving that takes four times as many seeds."
    )


def _population(content: Content) -> str:
    images = content.plan.data.get("test")
    others = "" if images is None else f" of {whole(images)} images"
    text = (
        "The mean over new seeds: the same designs and recipes trained again on the same training "
        "images and tested on the same test images. It does not speak of other training images, "
        "other data or other recipes."
    )
    if any(row.difference_wide_low is not None for row in content.rows):
        text += f" “New images too” allows, besides, for another test set{others} of the same kind."
    return text


def _noise(content: Content) -> str:
    spread = content.steps.spread
    if spread.within_sd is None:
        return "Unknown."
    text = (
        "From seed to seed, a step’s accuracy varies with a standard deviation of "
        f"{_POINTS * spread.within_sd:.2f} points (pooled over steps, "
        f"{spread.within_df:.1f} degrees of freedom"
    )
    if spread.residual_sd is not None:
        text += (
            f"); {_POINTS * spread.residual_sd:.2f} ({spread.residual_df}) once what a seed does "
            "to all steps alike is taken out. "
        )
    else:
        text += "). "
    return text + _pairing(spread)


def _pairing(spread: Spread) -> str:
    interval = spread.correlation_interval
    if spread.correlation is None or interval is None or spread.pairing is None:
        return ""
    change = 100 * (spread.pairing - 1)
    effect = "changed their width by less than 1 %"
    if abs(change) >= 1:
        effect = f"made them {abs(change):.0f} % {'narrower' if change < 0 else 'wider'}"
    return (
        "Differences compare runs with the same seed. The correlation of such runs across steps "
        f"is {signed(spread.correlation)} (95 % interval {span(interval.low, interval.high)}); "
        f"pairing {effect}."
    )


def _assumptions(content: Content) -> tuple[str, str]:
    text = (
        "Scores are a step’s part plus a seed’s part plus normal noise with the same spread in "
        "every step: a step’s own few runs are not enough to judge its spread by. "
    )
    uneven = content.steps.spread.uneven
    if uneven is None:
        return "Assumptions.", text + "There are too few runs to check that."
    name = content.rows[uneven.cell].name
    sizes = f"{_POINTS * uneven.sd:.2f} points against {_POINTS * uneven.others:.2f}"
    if not uneven.clearly:
        return "Assumptions.", (
            f"{text}No step’s spread clearly differs (most: {name}, {sizes}, corrected "
            f"p = {uneven.p:.2f}), but so few runs would only show a large difference."
        )
    return "Warning: an assumption does not hold.", (
        f"{text}Here {name} varies more than the others ({sizes}; corrected "
        f"p = {max(uneven.p, 0.0001):.1g}). Intervals that involve it are too narrow, the others "
        "too wide. The columns difference_own_… of steps.csv rest on each pair of steps alone."
    )


def left_out(content: StudyContent, cell: str) -> list[tuple[str, str]]:
    """On runs without a score, where there are any; `cell` is a word for what has several runs."""
    parts = []
    diverged, failed = content.counts["diverged"], content.counts["failed"]
    if diverged or failed:
        lost = [f"{n} {what}" for n, what in ((diverged, "diverged"), (failed, "failed")) if n]
        parts.append(
            f"Runs without a score: {listed(lost)}. Means are over the runs that finished, and so "
            f"flatter a {cell} that often diverges."
        )
    if content.counts["missing"]:
        parts.append(
            f"{plural(content.counts['missing'], 'planned run')} not recorded yet. Where a {cell} "
            "lacks a seed, its difference is adjusted for that seed, and is not the plain "
            "difference of the two means."
        )
    return [("Left out.", " ".join(parts))] if parts else []


def interval_caption(content: Content) -> str:
    """What the marks of the main figure stand for."""
    paper = " Far right, what the paper reports for ImageNet." if content.has_paper else ""
    if not content.has_intervals:
        return (
            f"Each dot is one run (n = {content.sizes}): no interval is possible. Left, test "
            f"accuracy; right, the difference to the step before.{paper}"
        )
    return (
        f"Left, test accuracy: a dot for the mean of n = {content.sizes} runs, a thin line for "
        "each run, a bar for the 95 % interval over new seeds. Right, the difference to the step "
        f"before with its interval: filled where it excludes zero, hollow where it does not.{paper}"
    )
