"""What earlier versions of probes read wrong, in sentences."""

from collections.abc import Mapping

from nextify.findings.scores import Fault
from nextify.words import listed, plural

_WHAT: dict[Fault, str] = {
    "shortcuts": "took a 1 x 1 convolution beside the blocks (a shortcut, a stem) for a stage",
    "Swin": "may have read maps of Swins wrong, which depends on their sizes",
    "one position": "gave maps of one position an error of 1, whatever the network does",
}


def notes(found: Mapping[str, Mapping[Fault, int]]) -> list[str]:
    """What not to rely on, and what to do about it: one sentence for each thing that was read wrong
    of some networks; none where nothing was.

    Args:
        found: of how many networks, by the name of a probe or of one of its named values.
    """
    by: dict[Fault, dict[str, int]] = {}
    for name, misread in found.items():
        for fault, count in misread.items():
            by.setdefault(fault, {})[name] = count
    return [_note(fault, counts) for fault, counts in by.items()]


def _note(fault: Fault, counts: Mapping[str, int]) -> str:
    most = max(counts.values())
    some = "up to " if min(counts.values()) < most else ""
    probes = dict.fromkeys(name.partition(".")[0] for name in counts)
    were, of = ("was", "the probe") if len(probes) == 1 else ("were", "these probes")
    return (
        f"{listed(list(counts))} {were} measured by an earlier version of {of}, which "
        f"{_WHAT[fault]}: so in {some}{plural(most, 'network')} here, and what rests on that is "
        f"not to be relied on; nextify probe FILE --probes {','.join(probes)} measures networks "
        "that were kept anew"
    )
