"""Requests: what somebody asks for, as data. The command line, TOML files and Python fill the same.

>>> from nextify.requests import Study, command_line, made
>>> request = made(Study, {"path": "small", "data": "photos", "changes": {"epochs": 20}})
>>> command_line(request)
'nextify study small epochs=20 --data photos'
"""

from nextify.requests.commands import (
    REQUESTS,
    Attribute,
    Bench,
    Choose,
    Compare,
    Convert,
    Cost,
    Data,
    Designs,
    Evaluate,
    Experiment,
    Export,
    Fit,
    Machine,
    Path,
    Predict,
    Probe,
    Recipe,
    Report,
    Request,
    Runs,
    ScaleMixers,
    ScaleNetworks,
    ScaleSequence,
    Show,
    Sizes,
    Study,
    StudyRequest,
    Train,
    command_of,
)
from nextify.requests.data_spec import DataSpec, stored_size
from nextify.requests.grammar import Asked, command_line, make_parser, read, words_of
from nextify.requests.options import (
    accepted,
    beside,
    changed,
    entries,
    field_entry,
    given,
    groups,
    made,
    require_used,
    without_local,
)
from nextify.requests.toml import read_toml
