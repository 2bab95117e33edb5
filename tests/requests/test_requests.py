"""A request, the command line, a TOML file and Python say the same, in both directions."""

import argparse
import math
import re
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import nextify as nx
from nextify.errors import InputError
from nextify.requests import (
    REQUESTS,
    Choose,
    Compare,
    Cost,
    DataSpec,
    Predict,
    Study,
    Train,
    changed,
    command_line,
    command_of,
    entries,
    made,
    make_parser,
    read,
    read_toml,
    words_of,
)
from nextify.requests import given as told
from nextify.requests.options import Entry, Pixels

texts = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1)
texts = texts.filter(lambda text: not text.startswith("-") and not text.endswith(".toml"))
fields = st.builds("{}={}".format, st.sampled_from(("epochs", "a", "b_c")), texts)


def values(entry: Entry) -> st.SearchStrategy[Any]:
    """What a field may hold."""
    hint, about = entry.inner, entry.about
    if get_origin(hint) is Literal:
        return st.sampled_from(get_args(hint))
    if get_origin(hint) is tuple:
        return st.lists(fields, min_size=1, max_size=3).map(tuple)
    if hint is int:
        return st.integers(about.least, about.most)
    if hint is float:
        return st.floats(1e-6, about.most)
    if hint == Pixels:
        side = st.integers(1, 1 << 14)
        return side | st.tuples(side, side)
    return st.booleans() if hint is bool else texts


@st.composite
def requests(draw: Any, kind: type) -> Any:
    """Any request of a kind; of what stands by its place, none before one that is left out."""
    found, places = {}, True
    for entry in entries(kind):
        if entry.about.positional:
            places = entry.about.many in ("", "+") or (places and draw(st.booleans()))
            if places:
                found[entry.key] = draw(values(entry))
        elif draw(st.integers(0, 3)) == 0:
            found[entry.key] = draw(values(entry))
    return made(kind, found)


@pytest.mark.parametrize("kind", REQUESTS.values(), ids=REQUESTS)
def test_a_request_is_its_command_line(kind):
    parser = make_parser()

    @settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
    @given(requests(kind), st.booleans())
    def holds(request: Any, as_json: bool) -> None:
        words = [*words_of(request), *["--json"] * as_json]
        asked = read(words, parser)
        assert (asked.request, asked.as_json) == (request, as_json)
        assert made(kind, told(request)) == request

    holds()


def test_a_file_whose_name_begins_with_a_dash_is_typed_by_another():
    request = made(Predict, {"network": "-net", "images": ["-a.png", "b.png"]})
    assert command_line(request) == "nextify predict ./-net ./-a.png b.png"
    assert read(words_of(request)).request.images == ("./-a.png", "b.png")


@pytest.mark.parametrize("kind", REQUESTS.values(), ids=REQUESTS)
def test_a_request_is_its_toml(kind, tmp_path):
    @settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
    @given(requests(kind))
    def holds(request: Any) -> None:
        file = tmp_path / "plan.toml"
        lines = [f"{key} = {toml(value)}" for key, value in told(request).items()]
        file.write_text("\n".join(lines), encoding="utf-8")
        assert read_toml(kind, file) == request
        assert read([*command_of(type(request)).split(), str(file)]).request == request

    holds()


def toml(value: Any) -> str:
    match value:
        case bool():
            return str(value).lower()
        case str():
            escaped = "".join(f"\\U{ord(each):08X}" for each in value)
            return f'"{escaped}"'
        case tuple():
            return f"[{', '.join(map(toml, value))}]"
    return repr(value)


def test_every_option_of_every_command_is_a_field():
    """Nothing is on the command line that Python and TOML do not have."""
    (commands,) = (a for a in make_parser()._actions if isinstance(a, argparse._SubParsersAction))
    parsers = dict(commands.choices)
    scale = parsers.pop("scale")
    (subjects,) = (a for a in scale._actions if isinstance(a, argparse._SubParsersAction))
    parsers |= {f"scale {name}": parser for name, parser in subjects.choices.items()}
    assert parsers.keys() == REQUESTS.keys()
    for name, parser in parsers.items():
        known = {entry.key for entry in entries(REQUESTS[name])}
        assert {action.dest for action in parser._actions} - {"help", "--json"} == known


def test_toml_comes_before_the_rest(tmp_path):
    file = tmp_path / "plan.toml"
    file.write_text('path = "small"\nseeds = 4\nimages_ = 1\n')
    with pytest.raises(InputError, match=r"plan\.toml: unknown option 'images_'; did you mean"):
        read(["study", str(file)])
    file.write_text('path = "small"\ndata = "a b"\nseeds = 4\nchanges = {epochs = 2}\n')
    request = read(["study", str(file), "--seeds", "3"]).request
    assert command_line(request) == "nextify study small epochs=2 --data 'a b' --seeds 3"
    request = read(["study", str(file), "epochs=5"]).request
    assert command_line(request) == "nextify study small epochs=5 --data 'a b' --seeds 4"
    file.write_text('path = "small"\n', encoding="utf-8-sig")  # as Windows writes it
    assert command_line(read(["study", str(file)]).request) == "nextify study small"
    file.write_text("seeds = 0.5\n")
    with pytest.raises(InputError, match=r"seeds is 0\.5; give a whole number from 1 to 1,000"):
        read(["study", str(file)])
    file.write_text("seeds 3")
    with pytest.raises(InputError, match="is no TOML"):
        read(["study", str(file)])
    with pytest.raises(InputError, match="cannot be read"):
        read(["study", str(tmp_path / "none.toml")])


def test_python_says_it_in_its_own_words():
    request = made(
        Study, {"path": "small", "changes": {"epochs": 2, "crop": None}, "rates": [0.5, 1]}
    )
    assert command_line(request) == "nextify study small epochs=2 crop=none --rates 0.5,1"
    request = made(Choose, {"params": 300_000, "data": "photos"})
    assert command_line(request) == "nextify choose --params 300000 --data photos"
    assert changed(request, seeds=3).seeds == 3 and request.seeds is None
    request = made(Study, {"path": "small", "data": ["a", "b", "c"], "margin": 0.1234567})
    same = "nextify study small --data a --data b --data c --margin 0.1234567"
    assert command_line(request) == same
    assert made(Choose, {"params": 12345678.0}).budgets.params == "12345678"
    assert made(Cost, {"design": "vit-mini", "image_size": "64x96"}).sizes.image_size == (64, 96)
    with pytest.raises(InputError, match=r"image_size is '64x'; give pixels"):
        made(Cost, {"design": "vit-mini", "image_size": "64x"})
    with pytest.raises(InputError, match=r"^unknown option 'changes'; .* stand in 'networks'$"):
        made(Compare, {"networks": ["vit-mini"], "changes": {"epochs": 2}})


def test_numbers_of_numpy_are_numbers():
    def study(whole: type, part: type) -> Study:
        own = {"seeds": whole(3), "image_size": whole(64), "margin": part(0.5)}
        return made(Study, {"path": "small", "images": [whole(500)], **own})

    assert study(np.int64, np.float64) == study(int, float)
    assert type(study(np.int64, np.float64).runs.seeds) is int
    assert made(Choose, {"params": np.int64(300_000)}).budgets.params == "300000"
    sides = (np.int64(64), np.int64(96))
    assert made(Cost, {"design": "vit-mini", "image_size": sides}).sizes.image_size == (64, 96)


def test_a_text_is_one_name_or_fields():
    assert made(Predict, {"network": "n", "images": "my photos"}).images == ("my photos",)
    assert made(Compare, {"networks": "runs/my net"}).networks == ("runs/my net",)
    assert made(Study, {"path": "small", "changes": "epochs=2 crop=none"}).changes[1] == "crop=none"
    assert made(Predict, {"network": "n", "images": iter(["a b", "c"])}).images == ("a b", "c")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "path is not given"),
        ({"path": "small", "sede": 1}, "unknown option 'sede'; did you mean 'seeds'"),
        ({"path": "small", "epochs": 2}, "; fields to change stand in 'changes'"),
        ({"path": "small", "weights": ["a", "b"]}, "weights is ['a', 'b']; give a text"),
        ({"path": "small", "seeds": 0}, "seeds is 0; give a whole number from 1 to 1,000"),
        ({"path": "small", "seeds": True}, "seeds is True; give a whole number"),
        ({"path": "small", "experiment": "fill"}, "experiment is 'fill'; give one of path"),
        ({"path": "small", "plan": "yes"}, "plan is 'yes'; give true or false"),
        ({"path": "small", "data": ""}, "data is ''"),
        ({"path": "small", "data": "a\0b"}, "data is 'a\\x00b'; it holds a NUL"),
        ({"path": "small", "changes": ["epochs=\ud800"]}, "it holds half of a character"),
        ({"path": "small", "image_size": math.nan}, "image_size is nan"),
    ],
)
def test_what_is_refused_names_the_field(values, message):
    with pytest.raises(InputError, match=re.escape(message)):
        made(Study, values)


def test_arguments_are_taken_by_their_places():
    planned = nx.study("small", "epochs=1", seeds=1, plan=True, quiet=True)
    assert planned.plan.command == "nextify study small epochs=1 --recipe modern-small --seeds 1"
    planned = nx.compare("vit-mini", "convnext-mini", seeds=1, no_pilot=True, plan=True, quiet=True)
    assert [cell.network for cell in planned.plan.cells] == ["vit-mini", "convnext-mini"]
    with pytest.raises(InputError, match="unexpected argument 'b'"):
        nx.evaluate("a", "b")
    with pytest.raises(InputError, match="unexpected argument 'epochs=2'"):
        nx.study(made(Study, {"path": "small"}), "epochs=2", plan=True)


def test_what_is_given_by_place_and_by_name():
    options = {"seeds": 1, "plan": True, "quiet": True, "no_pilot": True}
    planned = nx.study("small", "epochs=1", changes={"batch_size": 80}, **options)
    assert "study small epochs=1 batch_size=80 --" in planned.plan.command
    planned = nx.compare("vit-mini", networks=["convnext-mini"], **options)
    assert [cell.network for cell in planned.plan.cells] == ["vit-mini", "convnext-mini"]
    said = r"images is \['a.png'\] by its place and \['b.png'\] by its name; give it once"
    with pytest.raises(InputError, match=said):
        nx.predict("net", "a.png", images=["b.png"])
    with pytest.raises(InputError, match="unknown design 'nobodys'"):  # a field is no name
        nx.train("epochs=3", design="nobodys")


def test_all_that_asks_for_images_is_done_or_refused():
    held, options = DataSpec(hold_out=True), {"plan": True, "quiet": True, "no_pilot": True}
    for asked in (("small",), (Study(path="small", data=held),)):
        own = {"data": held} if asked == ("small",) else {}
        assert nx.study(*asked, changes="epochs=1", seeds=1, **own, **options).plan.held_out
    said = "data has hold_out=True, and train has no such option; leave it out"
    with pytest.raises(InputError, match=said):
        nx.train("vit-mini", data=held)
    with pytest.raises(InputError, match=said):
        nx.train(Train(design="vit-mini", data=held))
    with pytest.raises(InputError, match="data has memory_limit=0, and evaluate has no such"):
        nx.evaluate("net", data=DataSpec(memory_limit=0, train_limit=100))


def test_what_does_nothing_is_refused_in_python_too(tmp_path):
    file = tmp_path / "export.toml"
    file.write_text('network = "net"\noutput = "net.onnx"\nreduce_range = true\n')
    with pytest.raises(InputError, match="--reduce-range does nothing without --int8"):
        nx.export(str(file))
    with pytest.raises(InputError, match="weights net do not exist"):  # which comes next
        nx.export(str(file), int8=True)


def test_hints_are_of_the_kinds_that_are_read():
    plain = (int, float, str, bool)
    for kind in REQUESTS.values():
        for entry in entries(kind):
            inner = entry.inner
            known = inner in plain or get_origin(inner) in (Literal, tuple) or inner == Pixels
            assert known and get_origin(entry.hint) in (None, Literal, tuple, UnionType, Union)
