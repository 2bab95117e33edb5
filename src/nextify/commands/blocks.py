"""The command study on several data sets: one experiment on each, and what holds in general."""

from dataclasses import dataclass
from pathlib import Path

from nextify.commands import attributing, studying
from nextify.commands.attributing import Attributed
from nextify.commands.studying import Planned, Studied
from nextify.commands.watch import QUIET, Watch
from nextify.data import name_of
from nextify.errors import InputError
from nextify.files import require_writable
from nextify.requests import Attribute, Study, changed
from nextify.studies.kinds.factors import is_experiment


@dataclass(frozen=True, kw_only=True, slots=True)
class Blocks:
    """What has been done on several data sets.

    Attributes:
        studies: one a data set. general: what they say together.
    """

    studies: tuple[Studied, ...]
    general: Attributed


def study(request: Study, watch: Watch = QUIET) -> tuple[Planned, ...] | Blocks:
    """Carry out the same experiment on each data set, one after another, and attribute them
    together. Each is a study of its own, in its usual file: the same call goes on.

    Returns:
        A plan for each, where the request asks for the plans alone.

    Raises:
        InputError: a path's study, a file for all, data sets of one name, and as
            `studying.study` does.
        Interrupted: by Ctrl-C; what is recorded is kept.
    """
    if not is_experiment(request):
        raise InputError("--data is given again, which is for an experiment; add "
                         "--experiment resolution-5, say, or study each by itself")  # fmt: skip
    if request.runs.file:
        raise InputError("--file is of one study, and there is one for each --data; leave it out")
    sources = (request.data.source, *request.more_data)
    names = [name_of(each) for each in sources]
    if twice := next((each for each in names if names.count(each) > 1), None):
        raise InputError(f"two of --data are called {twice!r}, and their study files would be one; "
                         "give each data set once, and rename a folder where two are called alike"
                         )  # fmt: skip
    output = request.runs.report
    if output and not request.runs.plan:
        require_writable(Path(output), "--report")
    each = [changed(request, data=name, more_data=(), report=None) for name in sources]
    done = [studying.study(one, watch) for one in each]
    if request.runs.plan:
        return tuple(one for one in done if isinstance(one, Planned))
    studies = tuple(one for one in done if isinstance(one, Studied))
    file, *beside = (str(one.file) for one in studies)
    together = Attribute(file=file, beside=tuple(beside), output=output)
    return Blocks(studies=studies, general=attributing.attribute(together, watch))
