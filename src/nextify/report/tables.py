"""The study as files for machines: `steps.csv` and `report.json`.

Accuracies in per cent, differences in percentage points, like the page; names say which.
"""

import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from io import StringIO
from typing import Any

from nextify.findings import Spread
from nextify.report import details
from nextify.report.content import CellNumbers, Content, Row
from nextify.report.words import headline, meaning, progress
from nextify.words import tidy

# Units that a reader of the files must not have to guess.
_UNITS = {
    "nll": "nll_nats",
    "seconds": "training_seconds",
    "paper_accuracy": "paper_accuracy_percent",
    "paper_sd": "paper_sd_points",
}


def steps_csv(content: Content) -> str:
    """A line per step; UTF-8, comma separated, an empty field where there is no number."""
    return csv_text([_record(row, content) for row in content.rows])


def csv_text(lines: Sequence[Mapping[str, Any]]) -> str:
    """Lines of the same fields as comma-separated values, with a header."""
    file = StringIO()
    writer = csv.DictWriter(file, fieldnames=list(lines[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return file.getvalue()


def json_text(values: Mapping[str, Any]) -> str:
    """Values as a file of JSON."""
    return json.dumps(values, indent=1, ensure_ascii=False, allow_nan=False, default=str) + "\n"


def report_json(content: Content, now: str | None) -> str:
    """Everything on the page as one object."""
    plan, overall = content.plan, content.steps.overall
    interval = overall.interval if overall else None
    values = {
        "title": plan.title,
        "path": plan.name,
        "written": now,
        "command": plan.command,
        "data": dict(plan.data),
        "data_source": plan.data_source,
        "precision": plan.precision,
        "seeds": list(plan.seeds),
        "runs": {"planned": content.planned, **content.counts},
        "headline": headline(content),
        "progress": progress(content),
        "meaning": [f"{head} {text}" for head, text in meaning(content)],
        "overall": {
            "difference_points": points(overall.value if overall else None),
            "difference_low_points": points(interval.low if interval else None),
            "difference_high_points": points(interval.high if interval else None),
        },
        "noise": noise_values(content.steps.spread),
        "steps": [_record(row, content) for row in content.rows],
        "without_score": [asdict(each) for each in details.troubles(content.plan, content.runs)],
        "recipes": [asdict(each) for each in details.recipes(content.plan)],
        "environments": [asdict(each) for each in details.environments(content.runs)],
    }
    return json_text(values)


def _record(row: Row, content: Content) -> dict[str, Any]:
    return record(row, content.plan.all_seeds, first=("step", "name", "changed", "recipe"))


def record(numbers: CellNumbers, seeds: Iterable[int], first: Sequence[str]) -> dict[str, Any]:
    """A cell's numbers as a line of a table: with units in the names, and the field
    `accuracies` as one for each seed.

    Args:
        first: the fields that stand first, in their order.
    """
    given = asdict(numbers)
    ordered = {name: given.pop(name) for name in first} | given
    values = {_named(name): tidy(value) for name, value in ordered.items()}
    at = list(values).index("accuracies_percent")
    with_seeds = {
        f"accuracy_percent_seed_{seed}": tidy(value)
        for seed, value in zip(seeds, numbers.accuracies, strict=True)
    }
    items = list(values.items())
    return dict([*items[:at], *with_seeds.items(), *items[at + 1 :]])


def _named(name: str) -> str:
    if name.startswith("accura"):
        return f"{name}_percent"
    return f"{name}_points" if name.startswith("difference") else _UNITS.get(name, name)


def noise_values(spread: Spread, cell: str = "step") -> dict[str, Any]:
    """What is known of the noise, as plain values; `cell` says what the fit's cells are."""
    between = spread.correlation_interval
    return {
        "residual_sd_points": points(spread.residual_sd),
        "residual_df": spread.residual_df,
        "within_sd_points": points(spread.within_sd),
        "within_df": tidy(spread.within_df),
        "seed_correlation": tidy(spread.correlation),
        "seed_correlation_low": tidy(between.low if between else None),
        "seed_correlation_high": tidy(between.high if between else None),
        "pairing_width_ratio": tidy(spread.pairing),
        "uneven": {
            cell: spread.uneven.cell,
            "sd_points": points(spread.uneven.sd),
            "others_sd_points": points(spread.uneven.others),
            "p": tidy(spread.uneven.p),
        }
        if spread.uneven
        else None,
    }


def points(value: float | None) -> object:
    """A fraction in percentage points, for a file."""
    return None if value is None else tidy(100 * value)
