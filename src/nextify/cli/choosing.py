"""The command choose."""

from dataclasses import asdict

from nextify.cli.show import print_json, print_table, say
from nextify.cli.studying import print_factors, time_in_words
from nextify.commands.choosing import PlannedChoice, choose
from nextify.commands.chosen import Chosen
from nextify.commands.racing import PlannedRace
from nextify.commands.watch import ON_STDERR
from nextify.report.choice.words import answer, head, notes, row, tested
from nextify.report.details import CHANGE
from nextify.requests import Choose
from nextify.studies import in_budget
from nextify.words import in_words, plural


def run(request: Choose, as_json: bool) -> int:
    """Carry out choose."""
    match choose(request, ON_STDERR):
        case PlannedChoice() as planned:
            _show_plan(planned, as_json)
            return 0
        case PlannedRace() as planned:
            _show_race(planned, as_json)
            return 0
        case Chosen() as found:
            if as_json:
                print_json(found.as_dict())
            else:
                _say(found)
                if found.report is not None:
                    say(f"report: {found.report.html}")
            return 0 if found.is_trained and not found.outcome.failures else 1


def _show_plan(planned: PlannedChoice, as_json: bool) -> None:
    if as_json:
        print_json({
            "settings": planned.settings,
            "screening": planned.screening.as_dict(),
            "phases": [asdict(each) for each in planned.phases],
        })  # fmt: skip
        return
    print_factors(planned.task.frame.factors)
    params = [cell.params for cell in planned.screening.cells]
    macs = [cell.macs for cell in planned.screening.cells]
    say(
        f"\nnetworks with {in_budget(planned.task.budgets)}: {in_words(min(params))} to "
        f"{in_words(max(params))} params, {in_words(min(macs))} to {in_words(max(macs))} MACs\n"
    )
    _print_phases(planned)


def _show_race(planned: PlannedRace, as_json: bool) -> None:
    if as_json:
        print_json({
            "settings": planned.settings,
            "rates": planned.rates.as_dict(),
            "laps": planned.race.laps,
            "latencies": {name: asdict(took) for name, took in planned.race.latencies.items()},
            "phases": [asdict(each) for each in planned.phases],
        })  # fmt: skip
        return
    say(f"race: {plural(len(planned.race.networks), 'candidate')} on "
        f"{', '.join(f'{number:,}' for number in planned.race.laps)} images\n")  # fmt: skip
    _print_phases(planned)


def _print_phases(planned: PlannedChoice | PlannedRace) -> None:
    rows = [
        [each.name, str(each.networks), str(each.runs), time_in_words(each.seconds)]
        for each in planned.phases
    ]
    print_table(["phase", "networks", "runs", "time"], rows)
    say(f"\nfinals: at most so many. winner: on all {planned.images:,} images")


def _say(found: Chosen) -> None:
    """The answer, for people."""
    choice, trained = found.choice, found.winner
    if choice is None:
        say("no design can be chosen: no run of the screening has a score, or none learned "
            f"anything; see the messages above, and try {CHANGE}")  # fmt: skip
        return
    if choice.winner is None:
        for text in (*answer(choice), *notes(choice)):
            say(text)
        return
    print_table(list(head(choice)), [row(choice, each) for each in choice.finalists])
    say("\n" + "\n".join(answer(choice)))
    for text in notes(choice):
        say(f"Note: {text}.")
    if trained is None or not found.is_trained:
        say(f"The training on all images did not finish: {trained and trained['message']}")
        return
    told = tested(trained)
    seen = (
        "images but the test images"
        if told
        else "images, the test images among them: no test accuracy can be stated for it; the "
        "accuracy to expect is that above"
    )
    say(
        f"network: {found.folder / 'network.safetensors'}, trained on all {trained['images']:,} "
        f"{seen}"
    )
    for text in told:
        say(text)
