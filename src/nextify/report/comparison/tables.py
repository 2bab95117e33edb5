"""A comparison as files for machines: `comparison.csv`, `gains.csv`, `report.json`.

Accuracies in per cent, differences and gains in percentage points, like the page; names say which.
"""

from dataclasses import asdict
from typing import Any

from nextify.report import details
from nextify.report.comparison.content import ComparisonContent, GainRow, NetworkRow
from nextify.report.comparison.meaning import meaning
from nextify.report.comparison.networks import in_words
from nextify.report.comparison.words import headline
from nextify.report.tables import csv_text, json_text, noise_values, record
from nextify.report.words import progress
from nextify.words import tidy

_FIRST = ("network", "images", "recipe", "learning_rate", "epochs", "updates")


def comparison_csv(content: ComparisonContent) -> str:
    """A line per network and number of images; an empty field where there is no number."""
    return csv_text([_line(row, content) for row in content.rows])


def _line(row: NetworkRow, content: ComparisonContent) -> dict[str, Any]:
    values = record(row, content.plan.all_seeds, first=_FIRST)
    del values["at"]
    return values


def gains_csv(content: ComparisonContent) -> str:
    """A line per network: what it gains from the smallest to the largest number of images."""
    return csv_text([_gain_line(row) for row in content.gains])


def _gain_line(row: GainRow) -> dict[str, Any]:
    points = ("gain", "difference")
    return {
        f"{name}_points" if name.startswith(points) else name: tidy(value)
        for name, value in asdict(row).items()
    }


def comparison_json(content: ComparisonContent, now: str | None) -> str:
    """Everything on the page as one object."""
    plan, found = content.plan, content.found
    networks = found.networks
    values = {
        "title": plan.title,
        "written": now,
        "command": plan.command,
        "data": dict(plan.data),
        "data_source": plan.data_source,
        "precision": plan.precision,
        "matched": plan.matched,
        "held_out": plan.held_out,
        "seeds": list(plan.seeds),
        "runs": {"planned": content.planned, **content.counts},
        "headline": headline(content),
        "progress": progress(content),
        "meaning": [f"{head} {text}" for head, text in meaning(content)],
        "baseline": content.baseline,
        "networks": [_network(name, content) for name in networks],
        "images": [_on(at, content) for at in range(len(found.images))],
        "cells": [_line(row, content) for row in content.rows],
        "gains": [_gain_line(row) for row in content.gains],
        "gains_noise": noise_values(found.gains.spread, "network") if found.gains else None,
        "crossings": [
            {**asdict(each), "network": networks[each.network]} for each in found.crossings
        ],
        "without_score": [asdict(each) for each in details.troubles(plan, content.runs)],
        "recipes": [asdict(each) for each in details.recipes(plan)],
        "environments": [asdict(each) for each in details.environments(content.runs)],
    }
    return json_text(values)


def _network(name: str, content: ComparisonContent) -> dict[str, Any]:
    cell = content.cell_of(name)
    return {
        "name": name,
        "in_words": in_words(cell.design),
        "design": asdict(cell.design),
        "params": cell.params,
        "macs": cell.macs,
    }


def _on(at: int, content: ComparisonContent) -> dict[str, Any]:
    on, networks = content.found.at[at], content.found.networks
    return {
        "images": on.images,
        "highest": None if on.leader is None else networks[on.leader],
        "may_be_best": None if on.rivals is None else [networks[each] for each in on.rivals],
        "noise": noise_values(on.spread, "network"),
    }
