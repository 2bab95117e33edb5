"""What is said of networks and of what probes found of them: lines, cells of tables, reasons."""

import re
from collections.abc import Iterator

from nextify.findings.diagnosis import diagnosis
from nextify.records import Measurement
from nextify.report.doctor import advice
from nextify.report.probes.content import About, ProbedNetwork, ProbesContent
from nextify.words import MISSING, in_words, plural

HEAD = ("probe", "unit")


def read(content: ProbesContent) -> list[str]:
    """What is read: the images, then a line a network."""
    drawn = f"all {content.of:,} test images"
    if content.images < content.of:
        drawn = f"{content.images:,} of {content.of:,} test images, drawn with seed {content.seed}"
    return [f"images: {content.data}, {drawn}", *map(_network, content.networks)]


def _network(of: ProbedNetwork) -> str:
    classes = "" if of.knows_classes else "; its classes are not those of the images"
    trained = "" if of.is_trained else "at initialisation; "
    notes = "".join(f"; {note}" for note in of.notes)
    return (
        f"{of.name}: {trained}{of.design}; {in_words(of.params)} parameters, images of "
        f"{of.image_size} pixels{classes}{notes}"
    )


def rows(content: ProbesContent) -> list[list[str]]:
    """A row a probe: its name, its unit, and a value a network."""
    return [
        [each.name, each.unit or MISSING, *(value(n.found[each.name]) for n in content.networks)]
        for each in content.probes
    ]


def value(found: Measurement) -> str:
    """A value in four digits.

    >>> value(Measurement(probe="p", version=1, value=0.123456))
    '0.1235'
    """
    return MISSING if found.value is None else number(found.value)


def number(amount: float) -> str:
    """A number in four digits, with a real minus sign.

    >>> number(-1234.56), number(0.5), number(2.5e-7)
    ('−1235', '0.5', '2.5e−07')
    """
    return f"{amount:.4g}".replace("-", "−")


def said(content: ProbesContent) -> list[str]:
    """What the numbers do not say themselves: whether an untrained network will train, and why
    there is no number."""
    return [*_diagnoses(content), *_reasons(content)]


def _diagnoses(content: ProbesContent) -> Iterator[str]:
    for network in content.networks:
        asked = {"signal", "gradient"} & set(network.found)
        if asked and not network.is_trained:
            for sentence in advice(diagnosis(network.found)):
                yield f"{network.name}: {sentence}"


def _reasons(content: ProbesContent) -> Iterator[str]:
    """Each reason once, with the networks that it holds for."""
    for probe in content.probes:
        by_reason: dict[str, list[str]] = {}
        for network in content.networks:
            if reason := network.found[probe.name].reason:
                by_reason.setdefault(reason, []).append(network.name)
        for reason, names in by_reason.items():
            all_of_them = len(names) == len(content.networks)
            whose = "" if all_of_them else f" of {', '.join(names)}"
            yield f"{probe.name}{whose}: {reason}"


def figure_name(probe: About) -> str:
    """Of a probe's figure: one that files and pages take.

    >>> figure_name(About(name="a b/c", title=""))
    'probe-a-b-c'
    """
    return f"probe-{''.join(each if each.isalnum() else '-' for each in probe.name)}"


def capital(text: str) -> str:
    """With the first letter of a sentence."""
    return text[:1].upper() + text[1:]


def spaced(name: str) -> str:
    """A number's name as it is read.

    >>> spaced("stage2"), spaced("r50"), spaced("below 0.25")
    ('stage 2', 'r50', 'below 0.25')
    """
    return re.sub(r"^(stage|batch)(\d+)$", r"\1 \2", name)


def on_images(content: ProbesContent) -> str:
    """
    >>> on_images(ProbesContent(probes=(), networks=(), data="", source="", images=5, of=9, seed=0))
    'n = 5 images'
    """
    return f"n = {plural(content.images, 'image')}"
