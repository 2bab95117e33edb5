"""What a network of a study answers, on a page beside the study's own."""

from dataclasses import replace
from pathlib import Path

from nextify.commands.training import evaluate
from nextify.errors import InputError
from nextify.files import read_json
from nextify.findings import grid
from nextify.findings.scores import best_cell
from nextify.report.evaluation import words
from nextify.report.evaluation.files import write_evaluation
from nextify.report.evaluation.words import Answers
from nextify.report.write import read_study
from nextify.requests import DataSpec, Evaluate, command_line
from nextify.studies.running.weights import first_kept

_PLACE = "network"


def best_answers(file: Path, folder: Path) -> Answers:
    """What the best network of a study file answers to its test images: where the study kept it, a
    page in a report's folder, which is written unless it is there already.

    Raises:
        InputError: no such study file, or the folder cannot be written.
    """
    plan, records = read_study(file)
    runs = grid(plan, records)
    at = best_cell(plan, runs)
    if plan.held_out:
        return Answers(words.HELD_OUT)
    if at is None or plan.where is None or (kept := first_kept(file, runs[at])) is None:
        return Answers(words.NOT_KEPT)
    seed, network = kept
    worth = words.of_best(plan.cells[at], seed)
    asked = evaluation_of(network, plan.where, int(plan.data["image_size"]))
    there = read_json(folder / _PLACE / "report.json", remedy="remove it") or {}
    if (there.get("command"), there.get("worth")) == (command_line(asked), worth):
        return Answers.of(worth)
    try:
        return write_answers(asked, words.BEST, worth, folder)
    except InputError as error:  # images that are not there any more, say
        return Answers(words.not_shown(error))


def evaluation_of(network: Path, data: DataSpec, image_size: int) -> Evaluate:
    """The request for the answers of a run's network to the test images of its study."""
    return Evaluate(network=str(network), data=replace(data, image_size=image_size))


def write_answers(asked: Evaluate, name: str, worth: str | None, folder: Path) -> Answers:
    """Write the page of a network's answers into a report's folder.

    Args:
        name: of the network, in words. worth: what limits the answers, if anything does.

    Raises:
        InputError: as `evaluate` and `write_evaluation` do.
    """
    content = replace(evaluate(asked).content, network=name, worth=worth)
    write_evaluation(content, folder / _PLACE)
    return Answers.of(worth)
