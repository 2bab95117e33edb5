"""A study of cells as files for machines: a CSV line a cell, `gains.csv`, `report.json`.

Accuracies in per cent, differences and gains in percentage points, like the page; names say which.
"""

from dataclasses import asdict
from typing import Any

from nextify.findings import BlockModel, Difference, Standings
from nextify.records import Cell
from nextify.report import details
from nextify.report.cells import comparison_words, step_words
from nextify.report.cells.content import (
    AnyContent,
    CellsContent,
    ComparisonContent,
    Line,
    Row,
    StepsContent,
)
from nextify.report.cells.designs import in_words
from nextify.report.cells.probe_tables import probe_lines, score_lines
from nextify.report.cells.sentences import progress
from nextify.report.page import ends_of, json_text
from nextify.words import hundred, tidy

Values = dict[str, Any]


def lines_of(content: AnyContent) -> dict[str, list[Values]]:
    """A line a cell, and one a network's gain from more images, by the file that they are for."""
    match content:
        case StepsContent():
            return {
                "steps.csv": [_step(row, content) for row in content.rows],
                "scores.csv": score_lines(content),
                "probes.csv": probe_lines(content),
            }
        case ComparisonContent():
            return {
                "comparison.csv": [_network_line(row, content) for row in content.rows],
                "gains.csv": [_gain(line) for line in content.gains],
                "scores.csv": score_lines(content),
                "probes.csv": probe_lines(content),
            }


def _step(row: Row, content: CellsContent) -> Values:
    cell, paper = row.cell, row.cell.paper
    values = {
        "step": row.at,
        "name": row.name,
        "changed": cell.changed,
        "recipe": cell.recipe_name,
        **_numbers(row, content),
        "paper_accuracy_percent": paper.accuracy if paper else None,
        "paper_sd_points": paper.sd if paper else None,
        "paper_gmacs": paper.gmacs if paper else None,
        "paper_note": paper.note if paper else "",
    }
    return _tidied(values)


def _network_line(row: Row, content: CellsContent) -> Values:
    recipe = row.cell.recipe
    values = {
        "network": row.name,
        "images": row.images,
        "recipe": row.cell.recipe_name,
        "learning_rate": recipe.learning_rate,
        "epochs": recipe.epochs,
        "updates": row.updates,
        **_numbers(row, content),
    }
    return _tidied(values)


def _gain(line: Line) -> Values:
    values = {
        "network": line.name,
        "n": line.n,
        "gain_points": line.mean.mean,
        **ends_of("gain", line.mean.interval, "_points"),
        **ends_of("gain_wide", line.mean.wide, "_points"),
        **_difference(line.move),
    }
    return _tidied(values)


def _numbers(row: Row, content: CellsContent) -> Values:
    """What the runs of a cell gave, one field for each seed of the study among it."""
    seeds = zip(content.plan.all_seeds, row.mean.values, strict=True)
    return {
        "n": row.n,
        **{outcome: row.count(outcome) for outcome in ("diverged", "failed", "missing")},
        "learned_nothing": row.unlearned,
        "accuracy_percent": row.accuracy,
        **ends_of("accuracy", row.mean.interval, "_percent"),
        **ends_of("accuracy_wide", row.mean.wide, "_percent"),
        **{f"accuracy_percent_seed_{seed}": value for seed, value in seeds},
        "largest_class_percent": row.chance_level,
        "accuracy_diverged_at_chance_percent": row.with_diverged,
        **_difference(row.move),
        "nll_nats": row.mean_of("result", "nll"),
        "calibration_error": row.mean_of("result", "calibration_error"),
        "params": row.cell.params,
        "macs": row.cell.macs,
        "training_seconds": row.mean_of("measured", "seconds"),
        "images_per_second": row.mean_of("measured", "images_per_second"),
    }


def _difference(move: Difference) -> Values:
    return {
        "difference_points": move.value,
        **ends_of("difference", move.interval, "_points"),
        **ends_of("difference_wide", move.wide, "_points"),
        **ends_of("difference_own", move.own, "_points"),
        "p": move.p,
        "p_holm": move.holm,
        "verdict": move.verdict,
    }


def _tidied(values: Values) -> Values:
    return {name: tidy(value) for name, value in values.items()}


def cells_json(content: AnyContent, now: str | None) -> str:
    """Everything on a page as one object."""
    plan, words = content.plan, words_of(content)
    match content:
        case StepsContent():
            path, asked, found = {"path": plan.name}, {}, _steps_found(content)
        case ComparisonContent():
            asked = {"matched": plan.matched, "held_out": plan.held_out}
            path, found = {}, _comparison_found(content)
    values = {
        "title": plan.title,
        **path,
        "written": now,
        **details.facts(plan),
        **asked,
        "seeds": list(plan.seeds),
        "runs": content.counts,
        "headline": words.headline(content),
        "progress": progress(content),
        "meaning": [f"{head} {text}" for head, text in words.meaning(content)],
        **found,
        **({"scores": score_lines(content)} if content.by_class else {}),
        **({"probes": probe_lines(content)} if content.probes else {}),
        **details.as_values(plan, content.runs),
    }
    return json_text(values)


def words_of(content: AnyContent) -> Any:
    """The module with the sentences."""
    return step_words if isinstance(content, StepsContent) else comparison_words


def _steps_found(content: StepsContent) -> Values:
    overall = content.overall
    ends = ends_of("difference", overall.interval, "_points")
    return {
        "overall": _tidied({"difference_points": overall.value, **ends}),
        "noise": _noise(content.spread, "step"),
        "steps": lines_of(content)["steps.csv"],
    }


def _comparison_found(content: ComparisonContent) -> Values:
    found, networks, lines = content.found, content.found.networks, lines_of(content)
    return {
        "baseline": content.baseline,
        "networks": [_network(name, content.cell_of(name)) for name in networks],
        "images": [_on(content, on) for on in found.at],
        "cells": lines["comparison.csv"],
        "gains": lines["gains.csv"],
        "gains_noise": _noise(found.gains.spread, "network") if found.gains else None,
        "crossings": [
            {**asdict(each), "network": networks[each.network]} for each in found.crossings
        ],
    }


def _network(name: str, cell: Cell) -> Values:
    return {
        "name": name,
        "in_words": in_words(cell.design),
        "design": asdict(cell.design),
        "params": cell.params,
        "macs": cell.macs,
        **({"initial": asdict(cell.initial)} if cell.initial else {}),
    }


def _on(content: ComparisonContent, on: Standings) -> Values:
    networks = content.found.networks
    as_high = [row.name for row in content.highest(on) if row.at != on.leader]
    return {
        "images": on.images,
        "highest": None if on.leader is None else networks[on.leader],
        **({"as_high": as_high} if as_high else {}),
        "may_be_best": None if on.rivals is None else [networks[each] for each in on.rivals],
        "noise": _noise(on.spread, "network"),
    }


def _noise(spread: BlockModel, cell: str) -> Values:
    """What is known of the noise; `cell` says what the fit's cells are."""
    uneven, (correlation, between) = spread.uneven, spread.correlation
    values = {
        "residual_sd_points": hundred(spread.residual_sd),
        "residual_df": spread.df_residual,
        "within_sd_points": hundred(spread.within_sd),
        "within_df": spread.within_df,
        "seed_correlation": correlation,
        "seed_correlation_low": between.low if between else None,
        "seed_correlation_high": between.high if between else None,
        "pairing_width_ratio": spread.pairing,
    }
    apart = uneven and {
        cell: uneven.cell,
        "sd_points": hundred(uneven.sd),
        "others_sd_points": hundred(uneven.others),
        "p": uneven.p,
    }
    return {**_tidied(values), "uneven": apart and _tidied(apart)}
