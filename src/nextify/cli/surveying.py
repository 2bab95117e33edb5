"""The command data."""

from nextify.cli.show import file_values, print_json, print_table, say
from nextify.commands.surveying import data
from nextify.commands.watch import ON_STDERR
from nextify.report.survey import words
from nextify.report.survey.files import as_values
from nextify.requests import Data


def run(request: Data, as_json: bool) -> int:
    """Carry out data."""
    done = data(request, ON_STDERR)
    found = done.survey
    if as_json:
        print_json({**as_values(found), **file_values(done.report)})
        return 0
    rows = zip(found.classes, *found.counts.values(), strict=True)
    print_table(["class", *found.counts], [[name, *map(str, counts)] for name, *counts in rows])
    say("")
    for line in words.notes(found):
        say(line)
    for head, text in words.warnings(found):
        say(f"\n{head}. {text}")
    if done.report is not None:
        say(f"\nreport: {done.report.html}")
    elif found.repeats.pairs:
        say("\n--report DIR writes a page with pictures of the duplicates, and a table of them all")
    return 0
