"""What an experiment's numbers mean, in plain sentences made from them."""

import math
from collections import Counter

from scipy import stats

from nextify.experiments.intervals import upper
from nextify.findings import Interval
from nextify.findings.attribute import CLEARLY
from nextify.findings.tuning import at_the_edge
from nextify.records import Plan
from nextify.report import details
from nextify.report.factors import caveats, outcomes
from nextify.report.factors.content import FactorContent, View
from nextify.report.factors.lane_figure import way_lanes
from nextify.report.factors.sides import sides
from nextify.report.factors.units import amount
from nextify.words import listed, plural, signed, span

_METHODS = {
    "all subsets": "All subsets of the factors ran: the contributions are exact Shapley values, "
    "what a factor adds averaged over all orders in which the choices could be made.",
    "sampled orders": "The contributions are Shapley values estimated from sampled orders of the "
    "choices: what a factor adds, averaged over those orders. Intervals allow for the orders not "
    "sampled.",
    "two-factor model": "The contributions are average effects of a two-level fraction: the mean "
    "score with a factor’s choices made less the mean without, over the cells that were trained. "
    "They are the Shapley values, what a factor adds averaged over all orders, where no "
    "interaction of three or more factors matters; the gap checks that. The Shapley values beside "
    "them come from a model of all orders: their intervals hold, too, what such interactions may "
    "do in networks that were not trained.",
    "main effects": "The contributions are average effects of these cells alone. The cells cannot "
    "tell them from two-factor interactions, so a contribution may be in part an interaction’s.",
    "none": "These runs tell no factor’s contribution from the others.",
}
_SOURCES = {
    "pure error": "from runs that repeat a cell with another seed",
    "residual": "from what the two-factor model leaves over",
    "Lenth": "by Lenth’s pseudo standard error, from the smaller effects",
}
_SIGNS = {
    "higher": "A positive one says that the two gain more together than each alone; a negative "
    "one, that one makes the other less needed.",
    "lower": "Less is better here: a negative one says that the two gain more together.",
    "": "A positive one says that the two raise it more together than each alone.",
}
_MANY = {"helps": "help", "hurts": "hurt", "raises": "raise it", "lowers": "lower it"}
_ONE = {"raises": "raises it", "lowers": "lowers it"}
_MANY_SETS = 6  # below it a sample of data sets says little
_MOST_TRIPLES = 3
_EQUAL = {"macs": "MACs", "params": "parameters"}


def headline(content: FactorContent) -> list[str]:
    """One or two sentences for each study."""
    if len(content.views) == 1:
        return [sentence(_headline(content, content.views[0]))]
    return [f"Networks {view.label}: {_headline(content, view)}" for view in content.views]


def _headline(content: FactorContent, view: View) -> str:
    if not view.found.counts.finished:
        return "no run has a score, so nothing can be said of any factor’s contribution."
    if view.found.level >= 1:
        return "no verdict now: planned looks come at their time, and not after the last."
    if outcomes.unlearned(view.found) == view.found.counts.finished:
        return (
            f"none of {plural(view.found.counts.finished, 'finished run')} learned anything, so "
            f"nothing can be said of any factor. Train them otherwise: {details.CHANGE}."
        )
    if not view.has_intervals:
        return "no factor’s contribution has an interval yet; nothing is decided."
    parts, unit = [], content.unit
    for answer, many in _MANY.items():
        found = [each for each in view.found.contributions if each.answer == answer]
        if names := [f"{each.name} ({unit.signed(each.estimate.value)})" for each in found]:
            parts.append(f"{listed(names)} {many if names[1:] else _ONE.get(answer, answer)}")
    text = f"{'; '.join(parts)}; in {unit.name} of {unit.title}. "
    text = text if parts else ""
    small = [c.name for c in view.found.contributions if c.answer == "negligible"]
    if small:
        size = amount(view.found.margin or 0.0, content.metric)
        text = f"{text}No effect of {listed(small)} is larger than {size}. "
        parts.append(text)
    none = [c.name for c in view.found.contributions if c.answer == "no effect"]
    if none:
        text = f"{text}{listed(none)} {'do' if none[1:] else 'does'} nothing to it. "
        parts.append(text)
    unresolved = [c.name for c in view.found.contributions if c.answer == "not resolved"]
    told = outcomes.undecided(view.found)
    if unresolved:
        start = f"{text}Of the others, no" if parts else "no"
        text = f"{start} effect of {listed(unresolved)} can be told from zero. "
    return f"{text}{' '.join(told)}".strip()


def compared(content: FactorContent) -> str:
    """Whether the contributions of two studies differ: their runs are independent."""
    if len(content.views) != 2:
        return ""
    reach = float(stats.norm.ppf(upper(len(content.names))))
    told = []
    for pair in zip(*(view.found.contributions for view in content.views), strict=True):
        one, other = (each.estimate for each in pair)
        if any(map(outcomes.rests, pair)):
            continue
        if one.error is None or other.error is None:
            return ""
        apart = (other.value or 0.0) - (one.value or 0.0)
        if abs(apart) > reach * math.hypot(one.error, other.error):
            told.append(f"{pair[0].name} ({content.unit.signed(apart)})")
    first, second = (view.label for view in content.views)
    what, sure = f"From networks {first} to networks {second},", "(all factors together, 5 %)"
    if not told:
        return f"{what} no contribution clearly changes {sure}."
    return f"{what} these contributions clearly change {sure}: {listed(told)}."


def general(content: FactorContent) -> str:
    """What holds on data in general, from several data sets."""
    if not content.general:
        return ""
    n, unit = len(content.views), content.unit
    told = {
        word: [f"{e.name} ({unit.signed(e.mean)})" for e in content.general if e.answer == answer]
        for answer, word in _MANY.items()
    }
    clear = "; ".join(f"{word}: {listed(names)}" for word, names in told.items() if names)
    differ = [e.name for e in content.general if e.differs is not None and e.differs < CLEARLY]
    few = "With fewer than six data sets look at each by itself. " if n < _MANY_SETS else ""
    return (
        f"On other data like these {n} sets, judged by how contributions vary between them: "
        f"{clear or 'no factor’s contribution can be told from zero'}. {few}"
        f"{listed(differ) or 'No factor'} clearly {'do' if differ[1:] else 'does'} "
        "other things on one of these sets than on another, beyond what seeds explain."
    )


def progress(view: View) -> str:
    """How much of the plan is recorded, and what became of it."""
    counts = view.found.counts
    return details.progress(counts.planned, counts.missing, counts.diverged, counts.failed)


def adds_up(content: FactorContent, view: View) -> str:
    """The end-cell gap: whether the contributions' sum is what the end gained on the start."""
    gap, unit = view.found.gap, content.unit
    if gap is None:
        what = "an end cell (no factor made, all made) has no score yet, or a contribution"
        return f"Not known: {what} is not known."
    total = sum(each.estimate.value or 0.0 for each in view.found.contributions)
    within, own = (_within(content, each.interval) for each in (gap.total, gap.estimate))
    text = (
        f"All factors together were measured to add {unit.signed(gap.total.value)} {unit.name}"
        f"{within}; the contributions sum to {unit.signed(total)}."
    )
    told = caveats.gap(view.found)
    if gap.by_construction:
        return f"{text} The gap is {told}."
    return f"{text} Gap: {unit.signed(gap.estimate.value)}{own}. {sentence(told)}"


def _within(content: FactorContent, interval: Interval | None) -> str:
    return f" (95 % interval {content.unit.span(interval)})" if interval else ""


def sentence(text: str) -> str:
    """First letter large, a full stop.

    >>> sentence("one run a cell")
    'One run a cell.'
    """
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith('.') else '.'}"


def order(content: FactorContent, view: View) -> str:
    """How much a factor's credit depends on where it stands."""
    spreads, turned, unit = [], [], content.unit
    for name, *row in zip(content.names, *(lane.points for lane in way_lanes(view)), strict=True):
        points = [point for point in row if point]
        if len(points) < 2:
            continue
        low, *_, high = sorted(value for value, _, _ in points)
        spreads.append((high - low, name, low, high))
        clear = [i for _, i, _ in points if i and i.excludes_zero]  # all hold together
        if any(i.low > 0 for i in clear) and any(i.high < 0 for i in clear):
            turned.append(name)
    if not spreads:
        return "These runs do not tell it."
    _, name, low, high = max(spreads)
    places = f"from {unit.signed(low)} to {unit.signed(high)} {unit.name}"
    text = f"The credit of {name} depends most on its place: {places}. "
    if turned:
        return f"{text}By the place alone, {listed(turned)} would be said to help or to hurt."
    return f"{text}No factor is clearly above zero from one place and clearly below from another."


def interactions(content: FactorContent, view: View) -> str:
    """Which interactions were found."""
    every = view.found.interactions
    if not every:
        return "These cells cannot tell any two-factor interaction."
    if all(each.q is None for each in every):
        return "Without intervals no interaction can be tested."
    found = [each for each in every if each.found]
    rest = [f"{caveats.group(each)} (it {each.rests})" for each in every if each.rests]
    left = f" Not counted: {listed(rest)}." if rest else ""
    sums = "sums of " if all(each.aliased for each in every) else ""
    what = f"{len(every)} {sums}interactions"
    if not found:
        return f"None of {what} can be told from zero (5 % false discoveries).{left}"
    told = [f"{caveats.group(each)} ({content.unit.signed(each.estimate.value)})" for each in found]
    text = f"Of {what}, found at 5 % false discoveries: {listed(told)}. "
    if lone := [caveats.group(one) for one in found if one.heredity == 0 and not one.aliased]:
        doubt = "Neither factor shows an effect of its own there, so doubt it."
        text += f"{sentence(listed(lone))} {doubt} "
    return text + _SIGNS[content.unit.better] + left


def triples(content: FactorContent, view: View) -> str:
    """The largest three-factor interactions that the cells show."""
    every = view.found.triples
    found = [each for each in every if each.found]
    if not every or all(each.q is None for each in every):
        return ""
    what = f"three-factor interactions, beyond what the two-factor model holds ({len(every)} sums)"
    if not found:
        return f"Of {what}, none can be told from zero (5 % false discoveries)."
    more = f", and {len(found) - _MOST_TRIPLES} more" if len(found) > _MOST_TRIPLES else ""
    told = [
        f"{caveats.triple(each)} ({content.unit.signed(each.estimate.value)})"
        for each in found[:_MOST_TRIPLES]
    ]
    return (
        f"Of {what}, found at 5 % false discoveries: {'; '.join(told)}{more}. Each is what the "
        "three add to the difference of the two ends beyond the contributions; of those that these "
        "cells cannot tell apart the most plausible stands first."
    )


def noise(content: FactorContent, view: View) -> str:
    """The spread between runs behind the intervals."""
    of = view.found.noise
    if of.source == "exact":
        return "None: runs that repeat a cell have the same value to the last bit."
    if of.sd is None:
        return "Unknown: no cell has two runs that differ. Run the study with a second seed."
    text = (
        f"From run to run the score varies with a standard deviation of "
        f"{content.unit.plain(of.sd)} {content.unit.name} ({_SOURCES[of.source]}, {of.df:.0f} "
        "degrees of freedom). "
    )
    if of.critical is not None:
        text += f"An interval for all factors together reaches {of.critical:.2f} standard errors. "
    if between := of.seed_correlation_interval:
        text += (
            f"Scores of two cells with the same seed correlate by {signed(of.seed_correlation)} "
            f"(95 % interval {span(between.low, between.high)}). "
        )
    return text.strip()


def fit(view: View) -> str:
    """Whether the two-factor model fits all cells."""
    if (found := view.found.lack_of_fit) is None:
        return "Not testable: that takes repeated runs and more cells than effects."
    clear = "does not fit" if found.p < CLEARLY else "is not seen to fail"
    what = f"The model of main effects and two-factor interactions {clear}"
    text = f"{what}: {caveats.f_test(found)}."
    if found.p >= CLEARLY or view.found.estimand == "Shapley value":
        return text
    return f"{text} So contributions are average effects, which are not the Shapley values."


_OWN_DRAWS = (
    "New seeds and other training images: every run drew {drawn:,} of {every:,} training images by "
    "itself; intervals cover other draws of as many, and other images of the same kind as far as "
    "{drawn:,} is a small part of {every:,}; "
)
_SHARED_DRAWS = (
    "New seeds: all runs of a seed drew the same {drawn:,} of {every:,} training images (a fault "
    "of the version that planned this study, which was to draw anew for every run), so that "
    "intervals hardly cover other draws; "
)


def coverage(view: View) -> str:
    """Which population an interval covers."""
    tested = "held-out" if view.plan.held_out else "test"
    over = " at all looks" if view.looking.number else ""
    hold = f"95 times in 100 all factors’ intervals hold at once{over}. "
    if drawn := view.plan.cells[0].images:
        every = int(view.plan.data["train"])
        shared = any(cell.shares_draws for cell in view.plan.cells)
        text = (_SHARED_DRAWS if shared else _OWN_DRAWS).format(drawn=drawn, every=every)
        text += f"all are tested on the same {tested} images; {hold}"
    else:
        text = (
            "New seeds: the same cells trained again on the same training images and tested on the "
            f"same {tested} images; {hold}"
        )
    if any(way.predicted for each in view.found.ways for way in each.all if way):
        text += (
            "What is predicted comes from a model of all orders of interactions, and its intervals "
            "hold what is not known of these. "
        )
    if any(each.wide for each in view.found.contributions):
        text += "“New images too” allows, besides, for another test set of the same kind. "
    other = "" if drawn else "training images, "
    return f"{text}Neither speaks of other {other}data, sizes or recipes."


def costs(content: FactorContent) -> str:
    """What the columns of costs are."""
    if (first := content.views[0].costs) is None:
        return "Costs: the designs of all subsets cannot be rebuilt from this study’s plan."
    text = (
        f"Parameters, MACs and memory: what a factor adds, averaged over all orders, exactly: all "
        f"{first.subsets:,} designs were counted. MACs are multiply-accumulates for one image; "
        "memory is the float32 activations that training keeps for one image."
    )
    for view in content.views:
        if what := _EQUAL.get(view.plan.matched):
            rescaled = f"In the study {view.label} widths were rescaled"
            equal = f"{what} are equal by construction"
            text += f" {rescaled} so that all networks cost the same: {equal}."
    return text


def tuned(plan: Plan) -> str:
    """Which learning rates the cells have, and how they came to them."""
    rates = sorted(plan.tuned)
    text = (
        f"Each cell is at its best of {listed([f'{rate:g}' for rate in rates])} × the recipe’s "
        "rate, chosen by a run of its own at each on held-out images; the runs here have fresh "
        "seeds, so that no score is high because it was chosen. Chosen: "
    )
    counts = Counter(cell.rate for cell in plan.cells)
    chosen = [f"{rate:g} in {plural(counts[rate], 'cell')}" for rate in rates if counts[rate]]
    text += f"{listed(chosen)}. Intervals take these rates as given."
    low, high = at_the_edge(plan)
    edges = [
        f"the {which} in {plural(count, 'cell')}"
        for which, count in (("lowest", low), ("highest", high))
        if count
    ]
    if not edges:
        return text
    return f"{text} It is {listed(edges)}: there a wider range may have a better one."


def stability(view: View) -> str:
    """Whether the factors keep their order at other learning rates."""
    if view.plan.tuned:
        return tuned(view.plan)
    found = view.found.rates
    if found is None:
        return ""
    told = [f"{at.low:g} and {at.high:g} × the rate: {signed(at.kendall)}" for at in found.ranks]
    text = f"Kendall’s rank correlation of the contributions, {'; '.join(told)}. " if told else ""
    pairs = zip(view.found.contributions, found.together, strict=True)
    if changed := [each.name for each, within in pairs if within and within.excludes_zero]:
        start = "From the lowest to the highest rate the contribution of"
        return f"{text}{start} {listed(changed)} changes."
    return text + "No contribution is seen to change from the lowest to the highest rate."


def failures(view: View) -> str:
    """Divergence by choice, in a sentence where there is none."""
    if not view.found.counts.diverged:
        return "No recorded run diverged."
    clear = [each.name for each in view.found.failures if each.p is not None and each.p < CLEARLY]
    if not clear:
        return "No factor’s choices clearly change how often runs diverge."
    return f"Runs diverge more or less often with {listed(clear)} (Fisher’s exact test, p < 0.05)."


def resolution(content: FactorContent, view: View) -> str:
    """The size of effect that these runs can show."""
    known = [each.simultaneous for each in view.found.contributions if each.simultaneous]
    if not known:
        return ""
    half = max((each.high - each.low) / 2 for each in known)
    return (
        f"With {plural(outcomes.scored(view.found), 'run')} a contribution had to reach "
        f"{amount(half, content.metric)} to be told from zero. Halving that takes four "
        "times as many runs."
    )


def nothing_next(view: View) -> str:
    """Where no command is left to give."""
    if not view.found.counts.finished:
        return "Make runs finish first: a lower learning_rate, or a longer warm-up."
    if view.found.level >= 1:
        return "The planned looks are used up: what the last of them said stands."
    if why := outcomes.lower_rate_for(view.found):
        return why
    if any(c.answer in ("not resolved", "no interval") for c in view.found.contributions):
        return (
            "The undecided factors would take more runs than is sensible: whatever they do is "
            "smaller than what their intervals leave open."
        )
    return "Every factor is decided on this data under this budget. Try other data or another size."


def averaged(view: View) -> str:
    """What contributions are averaged over besides the other factors."""
    names = [each.name for each in view.found.crossed]
    if not names:
        return ""
    return f" They are averaged over both settings of {listed(names)}, which count alike."


def meaning(content: FactorContent, view: View) -> list[tuple[str, str]]:
    """Paragraphs on what these runs can and cannot show: a heading and the text."""
    parts = [
        ("What a contribution is.", _METHODS[view.found.method] + averaged(view)),
        ("What could be found.", resolution(content, view)),
        ("What an interval covers.", coverage(view) if view.has_intervals else ""),
        ("Noise.", noise(content, view)),
        ("Fit of the two-factor model.", fit(view)),
        ("Learning rate.", stability(view)),
        ("Diverged runs.", failures(view)),
        ("Runs that learned nothing.", details.learned_nothing(view.plan, view.runs)),
    ]
    return [(head, text) for head, text in parts if text]


def as_texts(content: FactorContent, view: View) -> dict[str, str]:
    """Every sentence of a study by its subject."""
    return {
        "progress": progress(view),
        "adds_up": adds_up(content, view),
        "order": order(content, view),
        "interactions": interactions(content, view),
        "triples": triples(content, view),
        **({"crossed": " ".join(told)} if (told := sides(content, view)) else {}),
        **{head.rstrip("."): text for head, text in meaning(content, view)},
    }
