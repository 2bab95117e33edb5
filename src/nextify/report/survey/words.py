"""What was found of a set of images, in sentences: what spoils studies first, with its remedy."""

from collections.abc import Iterator, Mapping

from nextify.findings.survey import Clue, Count, Pair, Side, Survey, half_around
from nextify.records import is_unequal
from nextify.report.announce import announced_left_out
from nextify.report.details import MOSTLY_LARGE, upper_first
from nextify.words import percent, plural, shown

_NAMED = 5  # classes or images that are named; of more, the rest is counted
_ON = {"training": "to train on", "test": "to test on", "validation": "to choose by"}


def headline(found: Survey) -> str:
    """The page's first sentence."""
    count = len(warnings(found))
    if not count:
        return "Nothing was found that spoils studies."
    return f"{plural(count, 'thing')} may spoil studies of these images."


def facts(found: Survey) -> str:
    """How many images there are and how they are seen."""
    sides = ", ".join(f"{sum(counts):,} {_ON[side]}" for side, counts in found.counts.items())
    how = f" (a fifth of each class, drawn with split seed {found.drawn})"
    drawn = "" if found.drawn is None else how
    return (
        f"{len(found.classes)} classes; images: {sides}{drawn}; looked at as networks see them, at "
        f"{found.image_size} pixels a side."
    )


def warnings(found: Survey) -> list[tuple[str, str]]:
    """What spoils studies, each with a head, its numbers and a remedy."""
    return [
        *_leaks(found),
        *_crossed(found.repeats.crossed),
        *_clues(found.clues),
        *_few(found),
        *_unequal(found),
        *_unreadable(found.unreadable),
    ]


def _leaks(found: Survey) -> Iterator[tuple[str, str]]:
    for (one, other), count in found.repeats.leaks.items():
        if not count.both:
            continue
        images = sum(found.counts[one])
        share = percent(100 * count.both / images, 1)
        if found.drawn is None:
            remedy = "take one of each pair away"
        else:
            remedy = (
                "take one of each pair away, or, since the sides are drawn here, make train/ and "
                "test/ yourself, with all images of one picture on one side"
            )
        yield (
            f"{upper_first(one)} images that are {other} images, too",
            f"{count.both:,} of the {images:,} {one} images ({share} %) {_have(count.both)} a "
            "duplicate among the "
            f"{other} images: {_kinds(count)}. On these, accuracy tells what was remembered, and "
            f"may be up to {share} points too high: {remedy}.",
        )


def _have(count: int) -> str:
    return "has" if count == 1 else "have"


def _kinds(count: Count) -> str:
    kinds = [f"{count.exact:,} with every pixel the same"] * (count.exact > 0)
    near = f"{count.near:,} the same shot but for encoding, size, light, colour or mirroring"
    return ", ".join([*kinds, *[near] * (count.near > 0)])


def _crossed(count: Count) -> Iterator[tuple[str, str]]:
    if count.both:
        yield (
            "The same picture under two classes",
            f"{plural(count.both, 'image')} of all {_have(count.both)} a duplicate under another "
            f"class: {_kinds(count)}. One of the two labels is wrong, or both are right and the "
            "classes overlap: look at the pairs, and move or remove one of each.",
        )


def _clues(clues: tuple[Clue, ...]) -> Iterator[tuple[str, str]]:
    told = [each for each in clues if each.tells]
    if not told:
        return
    best, *others = sorted(told, key=lambda each: -each.right)
    also = ", ".join(f"{CLUES[each.name]} {percent(100 * each.right, 0)} %" for each in others)
    yield (
        "Classes that are told without their picture",
        f"{upper_first(CLUES[best.name])} alone answers {percent(100 * best.right, 1)} % of "
        f"the images right, and chance {percent(100 * best.chance, 1)} %"
        f"{f' ({also})' if also else ''}. It leaves traces in the pixels, and a network may learn "
        "these and not the picture: take all classes from the same sources, bring them to one size "
        "and format, cut borders off, or test on images where it tells nothing.",
    )


CLUES = {
    "size": "the size in pixels",
    "form": "the ratio of width to height",
    "format": "the file's format and mode",
    "compression": "the JPEG quality",
    "camera": "the camera that EXIF names",
    "grey or colour": "whether it is grey or in colour",
    "corners": "the one colour of all corners",
    "all together": "all of this together",
}


def _few(found: Survey) -> Iterator[tuple[str, str]]:
    counts = found.counts["test"]
    whole = _points(half_around(0.9, sum(counts)))
    if few := found.few_to_test:
        yield (
            "Classes with few test images",
            f"An accuracy of 90 % on all {sum(counts):,} test images is known to ± {whole} points; "
            f"on those of one class, of {_some({name: _around(n) for name, n in few.items()})}. "
            "Say nothing of such a class by itself: add images to it, or join it with another.",
        )
    if few := found.few_to_train:
        named = {name: str(count) for name, count in few.items()}
        yield (
            "Classes with few training images",
            f"Fewer than twenty to train on: {_some(named)}. Add images, join classes, or start "
            "from trained weights (--weights).",
        )


def _around(images: int) -> str:
    return f"{images:,} (± {_points(half_around(0.9, images))})"


def _points(half: float) -> str:
    return percent(100 * half, 0 if half >= 0.1 else 1)


def _some(named: Mapping[str, str]) -> str:
    parts = [f"{shown(name)} {what}" for name, what in named.items()]
    more = len(parts) - _NAMED
    return ", ".join(parts if more <= 1 else [*parts[:_NAMED], f"and {more:,} more"])


def _unequal(found: Survey) -> Iterator[tuple[str, str]]:
    if not is_unequal(found.counts["training"]):
        return
    counts = dict(zip(found.classes, found.counts["training"], strict=True))
    least = min(filter(counts.get, counts), key=counts.__getitem__)
    most = max(counts, key=counts.__getitem__)
    times = percent(counts[most] / counts[least], 1)
    yield (
        "Unequal classes",
        f"{shown(most)} has {counts[most]:,} training images, {times} times as many as "
        f"{shown(least)} with {counts[least]:,}. {upper_first(MOSTLY_LARGE)}: look at balanced "
        "accuracy, too, and try the recipe field balance.",
    )


def _unreadable(names: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    if names:
        first = ", ".join(f"{shown(name)} ({why})" for name, why in list(names.items())[:_NAMED])
        more = len(names) - _NAMED
        yield (
            "Images that cannot be read",
            f"{plural(len(names), 'image')}: {first}{f' and {more:,} more' * (more > 0)}. Replace "
            "or remove them; other commands refuse them, or leave them out with --skip-unreadable.",
        )


def notes(found: Survey) -> list[str]:
    """What else was found, a line each."""
    repeats = found.repeats
    lines = [
        f"{one} images with a duplicate among the {other} images: {count.exact:,} exact, "
        f"{count.near:,} near"
        for (one, other), count in repeats.leaks.items()
    ]
    lines += [
        f"images with a duplicate under another class: {repeats.crossed.exact:,} exact, "
        f"{repeats.crossed.near:,} near",
        f"training images with a duplicate among the training images: {repeats.within.exact:,} "
        f"exact, {repeats.within.near:,} near",
    ]
    if not repeats.is_whole:
        lines.append("there are more pairs than are listed: numbers of near ones are the least")
    if found.files:
        lines += _files(found)
    return lines


def _files(found: Survey) -> Iterator[str]:
    files = found.files
    assert files is not None
    total = files.sizes.total()
    common = ", ".join(f"{w} x {h} {_share(n, total)}" for (w, h), n in files.sizes.most_common(3))
    many = len(files.sizes)
    yield f"sizes in pixels, width x height: {common}{f'; {many:,} sizes in all' * (many > 3)}"
    name, width, height = files.smallest[0]
    yield f"smallest: {shown(name)}, {width} x {height}{_enlarged(found)}"
    for word, counts in (("formats", files.formats), ("modes", files.modes)):
        each = ", ".join(f"{what or 'unknown'} {n:,}" for what, n in counts.most_common())
        yield f"{word}: {each}"


def _share(count: int, total: int) -> str:
    return f"{count / total:.0%}" if count / total >= 0.01 else f"{count:,}"


def _enlarged(found: Survey) -> str:
    assert found.files is not None
    small = sum(n for size, n in found.files.sizes.items() if min(size) < found.image_size)
    many = f"{plural(small, 'image')} {'is' if small == 1 else 'are'} smaller than networks see "
    return f"; {many}them, and enlarged" if small else ""


def left_out(found: Survey) -> list[str]:
    """What the folder holds that was not taken."""
    return announced_left_out(found.left_out, found.outside)


def pair_words(pair: Pair) -> str:
    """Of two images of one picture, how alike they are."""
    alike = "every pixel the same" if pair.exact else f"likeness {pair.likeness:.2f}"
    return f"{alike}, mirrored" if pair.mirrored else alike


def card(found: Survey, at: int) -> str:
    """The images of a class, and half of the interval of its accuracy."""
    counts: dict[Side, int] = {side: every[at] for side, every in found.counts.items()}
    half = _points(half_around(0.9, counts["test"]))
    known = {side: f" (± {half})" if side == "test" else "" for side in counts}
    return ", ".join(f"{count:,} {_ON[side]}{known[side]}" for side, count in counts.items())
