"""The command export."""

from nextify.cli.show import print_json, say
from nextify.commands.exporting import export
from nextify.commands.watch import ON_STDERR
from nextify.report.exported import exported_in_words
from nextify.requests import Export


def run(request: Export, as_json: bool) -> int:
    """Carry out export."""
    found = export(request, ON_STDERR)
    if as_json:
        print_json(found.as_dict())
    else:
        say(exported_in_words(found.as_dict()))
    return 0
