"""Networks over image sizes in words: amounts, where curves cross, the share of attention."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from nextify.designs import Vit
from nextify.report.scaling.blocks import Block, Paragraph, Table
from nextify.scaling.laws.networks import (
    Crossing,
    NetworkPoint,
    Networks,
    Quantity,
    Span,
    grid,
)
from nextify.scaling.laws.vit import attention_share, overtakes_at, vit_law
from nextify.words import MISSING, bytes_in_words, in_words, listed, seconds_in_words

_TITLES: dict[Quantity, str] = {
    "macs": "MACs",
    "kept": "memory kept in training",
    "alive": "memory in use",
    "seconds": "latency, measured",
}
_FORMULAS = ("network", "pixels", "MACs", "kept in training", "in use")
_MEASURED = ("torch's count", "resident", "buffers", "in operator", "latency", "quartiles", "n")
_BY_FORMULA = (
    "For one image, float32. MACs, kept and in use by formula: kept, what the backward pass "
    "needs; in use, at once in inference: written and still to be read."
)
_RESIDENT = (
    "resident: by what the process grew at the peak, more than in use because functions hold what "
    "they were given; buffers: of that, inside the operator in which the peak was reached, and no "
    "tensors."
)
_HALF = (
    "half where N = (b + sqrt(b^2 - 8 L (3 p^2 - K))) / 4 L, b = (4 D + 2 M) L + 3 p^2,",
    "N = (S / p)^2 + 1 tokens: S pixels, patches of side p, width D, M inside an MLP, L blocks, "
    "K classes.",
    "That is about S = p sqrt(2 D + M).",
)


def networks_in_words(found: Networks) -> Iterator[Block]:
    """All that there is to tell, for people."""
    head = (*_FORMULAS, *(_MEASURED if found.measured else ()))
    yield Table(head, [_row(one) for one in found.points], fixed=2)
    yield ""
    yield Paragraph(_BY_FORMULA)
    if found.measured:
        several = f"with {found.threads} threads"
        clock = "processor time of 1 thread" if found.threads == 1 else several
        yield Paragraph(_RESIDENT)
        yield Paragraph(
            f"latency: {clock}, the median of n rounds; in each, all networks take turns, and the "
            "best of at least two calls counts."
        )
    yield ""
    yield Paragraph(f"Where curves cross, from {found.sides[0]} to {found.sides[-1]} pixels:")
    yield from _crossings(found)
    if found.vits:
        yield from _shares(found)


def _row(one: NetworkPoint) -> list[str]:
    amounts = [bytes_in_words(one.kept), bytes_in_words(one.alive)]
    formulas = [one.name, str(one.side), in_words(one.macs), *amounts]
    if one.seconds is None:
        return formulas
    count = "the same" if one.counted == one.macs else f"{one.counted:,}"
    of, grown = one.seconds, [MISSING] * 3
    median, *quartiles = map(seconds_in_words, (of.median, of.low, of.high))
    if one.resident is not None:
        operator = one.resident.operator.removeprefix("aten.").removesuffix(".default")
        grown = [*map(bytes_in_words, (one.resident.bytes, one.resident.buffers)), operator]
    return [*formulas, count, *grown, median, "–".join(quartiles), str(of.count)]


def _crossings(found: Networks) -> Iterator[Block]:
    if not (crossed := found.crossings):
        yield "  nowhere."
        return
    for quantity, title in _TITLES.items():
        if own := [one for one in crossed if one.quantity == quantity]:
            yield f"\n{title}"
            yield from (Paragraph(crossing_in_words(one), indented=True) for one in own)
    yield ""
    usual, *others = sorted({grid(name) for name in found.names})
    rest = "".join(f", {_on(found.names, step)} every {step}" for step in others)
    yield Paragraph(
        f"By formula, at the sizes above and every {usual} pixels between them{rest}. Swin fills "
        "windows up with zeros, so that its cost rises in steps."
    )
    if any(one.quantity == "seconds" for one in crossed):
        yield Paragraph(
            "Of latency, sizes are interpolated between those measured; where quartiles overlap, "
            "nothing is said."
        )


def _on(names: Sequence[str], step: int) -> str:
    """Those whose sizes are so far apart."""
    return listed([name for name in names if grid(name) == step])


def crossing_in_words(found: Crossing) -> str:
    """
    >>> span = Span(192, 1024, 27, 0.6)
    >>> lower = (Span(96, 160, 3, 0.1),)
    >>> crossing_in_words(Crossing("macs", "a", "b", (Span(32, 64, 2, 0.1), span), lower))
    'a costs more than b at 32 to 64 and from 192 pixels on'
    >>> crossing_in_words(Crossing("macs", "a", "b", (span,), (Span(160, 160, 1, 0.004),)))
    'a costs more than b but at 160 pixels, where it costs 0.4 % less'
    """
    measured = found.quantity == "seconds"
    start = f"{found.more} {'takes longer' if measured else 'costs more'} than {found.less}"
    if not measured and found.is_flicker:
        sizes = listed([_span(span) for span in found.below])
        most = max(span.most for span in found.below)
        up_to = "up to " if sum(span.count for span in found.below) > 1 else ""
        return f"{start} but at {sizes} pixels, where it costs {up_to}{100 * most:.2g} % less"
    *before, last = found.above
    at = [f"{'' if place else 'at '}{_span(span)}" for place, span in enumerate(before)]
    about = "about " if measured else ""
    return f"{start} {listed([*at, f'from {about}{last.low:,.0f} pixels on'])}"


def _span(span: Span) -> str:
    return " to ".join(dict.fromkeys((f"{span.low:,.0f}", f"{span.high:,.0f}")))


def _shares(found: Networks) -> Iterator[Block]:
    vits, classes = found.vits, found.classes
    yield ""
    yield Paragraph(
        "The part of ViT's MACs that is quadratic in the tokens (with attention's projections):"
    )
    yield ""
    rows = []
    for side in found.sides:
        shares = [attention_share(one, side, classes) for one in vits.values()]
        rows.append([str(side), *(f"{quadratic:.1%} ({all_:.1%})" for quadratic, all_ in shares)])
    rows.append(["half at", *(f"{overtakes_at(one, classes):,.0f}" for one in vits.values())])
    yield Table(["pixels", *vits], rows, fixed=1)
    yield ""
    yield from map(Paragraph, _HALF)


def network_values(found: Networks) -> dict[str, Any]:
    """The same, for JSON."""
    law = vit_law()
    return {
        "threads": found.threads,
        "points": [asdict(one) for one in found.points],
        "crossings": [{**asdict(one), "words": crossing_in_words(one)} for one in found.crossings],
        "share": str(law.share),
        "overtakes_at": str(law.overtakes),
        "tokens_at": str(law.tokens),
        "vits": [_vit_values(found, name, one) for name, one in found.vits.items()],
    }


def _vit_values(found: Networks, name: str, one: Vit) -> dict[str, Any]:
    shares = [(side, *attention_share(one, side, found.classes)) for side in found.sides]
    keys = ("side", "quadratic", "attention")
    told = [dict(zip(keys, share, strict=True)) for share in shares]
    return {"name": name, "overtakes_at": overtakes_at(one, found.classes), "shares": told}
