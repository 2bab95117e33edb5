"""What the numbers of a path's steps mean, in plain sentences made from them."""

from nextify.findings import BlockModel
from nextify.report.cells import sentences
from nextify.report.cells.content import StepsContent
from nextify.report.cells.sentences import POINTS, Paragraph, between
from nextify.words import listed, percent, plural, signed, whole


def headline(content: StepsContent) -> str:
    """The study in one or two sentences: where it started, where it ended."""
    first, last = content.rows[0], content.rows[-1]
    overall = content.overall
    if nothing := sentences.none_learned(content):
        return nothing
    if overall.value is None:
        if len(content.rows) == 1 and first.accuracy is not None:
            tested = "held-out" if content.plan.held_out else "test"
            return f"{first.name}: {percent(first.accuracy)} % of {tested} images right."
        return "The path's two ends cannot be compared yet: one of them has no finished run."
    ends = (
        f"From {first.name} ({percent(first.accuracy)} %) to {last.name} "
        f"({percent(last.accuracy)} %): {signed(overall.value)} points"
    )
    if overall.interval is None:
        return f"{ends}; too few runs for an interval."
    told = f"{ends}, 95 % interval {between(overall.interval)}"
    return f"{told}; no verdict, for it {overall.rests}." if overall.rests else f"{told}."


def meaning(content: StepsContent) -> list[Paragraph]:
    """Paragraphs on what these runs can and cannot show."""
    shown = [sentences.no_intervals(content)]
    if content.has_intervals:
        shown = [
            ("What was found.", _found(content)),
            ("What could be found.", _resolution(content)),
            ("What an interval covers.", _population(content)),
            ("Noise.", _noise(content.spread)),
            _assumptions(content),
        ]
    order = (
        "A difference belongs to its place in the path: the same choices in another order would "
        "give other differences, because choices act on one another. It is not the choice’s own "
        "worth."
    )
    return [*shown, *[("Order.", order)] * (len(content.rows) > 1), *sentences.left_out(content)]


def _found(content: StepsContent) -> str:
    rest = sentences.no_verdict(content.rows)
    tested = [row for row in content.rows if row.move.interval and not row.move.rests]
    if not tested:
        return rest or "There is no difference with an interval yet."
    clear = [row for row in tested if row.move.resolved]
    names = [f"{row.name} ({signed(row.move.value)})" for row in clear]
    share = f"{len(clear)} of {plural(len(tested), 'difference')}"
    stand = [row.name for row in sentences.firm(clear)]
    text = (
        f"The intervals of {share} exclude zero{f': {listed(names)}' * bool(names)}. If no step "
        f"did anything, {sentences.by_chance(len(tested))} of {len(tested)} would be expected to. "
        f"Judged all together (Holm’s correction), {len(stand)} of them stand"
    )
    if 0 < len(stand) < len(clear):
        text += f": {listed(stand)}"
    faded = sentences.with_images(listed([row.name for row in sentences.open_with_images(clear)]))
    if rest:
        faded = f"{rest} {faded}"
    return f"{text}. {faded}“Not resolved” does not mean “no effect”."


def _resolution(content: StepsContent) -> str:
    halves = sentences.halves(content.rows)
    if not halves:
        return "Nothing yet: that takes neighbouring steps with two finished runs each."
    low, high = min(halves), max(halves)
    size = percent(high) if high - low < 0.005 else f"{percent(low)} to {percent(high)}"
    return (
        f"With n = {content.sizes} runs a step, a measured difference had to reach "
        f"{size} points to be told from zero. Halving that takes four times as many seeds."
    )


def _population(content: StepsContent) -> str:
    images = content.plan.data.get("test")
    others = "" if images is None else f" of {whole(images)} images"
    tested = "held-out" if content.plan.held_out else "test"
    trained, other = "the same training images", "other training images, "
    if drawn := content.plan.cells[0].images:
        of = f"{whole(drawn)} of {whole(content.plan.data['train'])} training images"
        trained, other = f"other draws of {of}, which every seed draws anew", ""
    text = (
        f"The mean over new seeds: the same designs and recipes trained again on {trained} and "
        f"tested on the same {tested} images. It does not speak of {other}other data or other "
        "recipes."
    )
    if drawn:
        text += " Large draws overlap: of images from elsewhere it does not speak."
    if any(row.move.wide for row in content.rows):
        text += f" “New images too” allows, besides, for another test set{others} of the same kind."
    return text


def _noise(spread: BlockModel) -> str:
    if spread.within_sd is None:
        return "Unknown."
    text = (
        "From seed to seed, a step’s accuracy varies with a standard deviation of "
        f"{POINTS * spread.within_sd:.2f} points (pooled over steps, "
        f"{spread.within_df:.1f} degrees of freedom"
    )
    if spread.residual_sd is None:
        return f"{text}). {_pairing(spread)}"
    return (
        f"{text}); {POINTS * spread.residual_sd:.2f} ({spread.df_residual}) once what a seed does "
        f"to all steps alike is taken out. {_pairing(spread)}"
    )


def _pairing(spread: BlockModel) -> str:
    correlation, interval = spread.correlation
    if correlation is None or spread.pairing is None:
        return ""
    change = 100 * (spread.pairing - 1)
    effect = "changed their width by less than 1 %"
    if abs(change) >= 1:
        effect = f"made them {abs(change):.0f} % {'narrower' if change < 0 else 'wider'}"
    return (
        "Differences compare runs with the same seed. The correlation of such runs across steps "
        f"is {signed(correlation)} (95 % interval {between(interval)}); "
        f"pairing {effect}."
    )


def _assumptions(content: StepsContent) -> Paragraph:
    text = (
        "Scores are a step’s part plus a seed’s part plus normal noise with the same spread in "
        "every step: a step’s own few runs are not enough to judge its spread by. "
    )
    uneven = content.spread.uneven
    if uneven is None:
        return "Assumptions.", text + "There are too few runs to check that."
    name = content.rows[uneven.cell].name
    if uneven.clearly:
        return sentences.uneven(content, text, sentences.varies(name, "", uneven))
    return "Assumptions.", (
        f"{text}No step’s spread clearly differs (most: {name}, {sentences.sizes(uneven)}, "
        f"corrected p = {uneven.p:.2f}), but so few runs would only show a large difference."
    )
