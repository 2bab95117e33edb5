"""`write_probes`: what probes found as a page, figures and tables."""

from collections.abc import Iterator
from os import PathLike
from typing import Any

from nextify.report.page import ReportFiles, csv_text, json_text, render, write_files
from nextify.report.probes import words
from nextify.report.probes.content import ProbesContent, as_values
from nextify.report.probes.figures import probe_figures
from nextify.words import tidy


def write_probes(
    content: ProbesContent, folder: str | PathLike[str], *, now: str | None = None
) -> ReportFiles:
    """Write the page of probes, a figure for each, a table of all numbers, and JSON.

    Args:
        folder: made if it is not there. now: a date to print on the page; None for no date.

    Raises:
        InputError: the folder cannot be written.
    """
    drawn = probe_figures(content)
    # Without seconds: equal numbers give equal bytes.
    found = [{n: v for n, v in each.items() if n != "seconds"} for each in as_values(content)]
    about = {"written": now, "command": content.command, "read": words.read(content)}
    texts = {
        "probes.csv": csv_text(list(_lines(content))),
        "report.json": json_text({**about, "measurements": found}),
        "report.html": render("probes.html", drawn, now, plan=content, words=words),
    }
    return write_files(folder, drawn, texts)


def _lines(content: ProbesContent) -> Iterator[dict[str, Any]]:
    """A line for each value and each named number."""
    for probe in content.probes:
        for network in content.networks:
            found = network.found[probe.name]
            numbers = {"value": found.value, **found.values}
            for name, amount in numbers.items():
                yield {
                    "probe": probe.name,
                    "version": found.version,
                    "network": network.name,
                    "number": name,
                    "value": tidy(amount),
                    "unit": found.units.get(name, found.unit),
                    "images": found.images,
                    "reason": found.reason,
                }
