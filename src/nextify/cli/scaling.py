"""`nextify scale`: laws of scaling as formulas, counts and measurements side by side."""

from argparse import Namespace

from nextify.cli import mixers, networks, sequence


def run(options: Namespace) -> int:
    """Carry out the command."""
    subjects = {"mixers": mixers.run, "networks": networks.run, "sequence": sequence.run}
    return subjects[options.subject](options)
