"""What limits the answer of a choice, in sentences."""

from collections.abc import Iterator
from typing import Any

from nextify.findings.choice import Choice


def as_values(choice: Choice) -> dict[str, Any]:
    """The choice as plain values, ready for JSON, and its notes."""
    return {**choice.as_dict(), "notes": list(notes(choice))}


def notes(choice: Choice) -> Iterator[str]:
    """What limits the answer."""
    if choice.winner is None:
        yield "no run of the finals has a score, so no design can be chosen"
        return
    if all(each.diverged or each.failed for each in choice.finalists):
        yield (
            "some run of every finalist diverged or failed: the means are over the runs that "
            "finished, and the recommended design may diverge again"
        )
    if choice.finalist(choice.winner).interval is None:
        yield "no intervals: these runs do not show the spread between seeds"
    if choice.apart:
        yield (
            f"the spread between seeds is clearly larger in {', '.join(choice.apart)} than in the "
            "others, so it is not pooled with theirs"
        )
