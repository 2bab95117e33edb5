"""Files of weights that are damaged in every way: an `InputError`, or weights; nothing else."""

import io
import json
import zipfile

import pytest
import torch
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from safetensors.torch import save

import nextify as nx
from network.weights.conftest import tiny
from nextify.network.weights.recognise import read_design
from nextify.network.weights.save import foreign_entries
from nextify.network.weights.source import open_weights

NETWORK = tiny()
ENTRIES = {name: e.contiguous() for name, e in foreign_entries(NETWORK, "timm").items()}


def _torch_bytes(is_zip: bool) -> bytes:
    buffer = io.BytesIO()
    torch.save(ENTRIES, buffer, _use_new_zipfile_serialization=is_zip)
    return buffer.getvalue()


FILES = {
    "safetensors": save(ENTRIES),
    "zip": _torch_bytes(True),
    "legacy": _torch_bytes(False),
}
STARTS = (b"", b"PK\x03\x04", b"\x80\x02", b"\x20\x00\x00\x00\x00\x00\x00\x00{")
fuzzed = settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def survives(content: bytes, tmp_path) -> bool:
    """Whether the weights were loaded; anything but success and `InputError` fails the test."""
    file = tmp_path / "fuzzed"
    file.write_bytes(content)
    try:
        read_design(open_weights(file))
        nx.load_weights(tiny(), file)
    except nx.InputError as error:
        assert "\n" not in str(error)
        return False
    return True


@pytest.mark.parametrize("kind", FILES)
def test_whole_files_are_read(kind, tmp_path):
    assert survives(FILES[kind], tmp_path)


@given(start=st.sampled_from(STARTS), content=st.binary(max_size=400))
@fuzzed
def test_random_bytes(start, content, tmp_path):
    assert not survives(start + content, tmp_path)


@pytest.mark.parametrize("kind", FILES)
@given(share=st.floats(0, 1, exclude_max=True))
@fuzzed
def test_files_cut_short(kind, share, tmp_path):
    content = FILES[kind]
    assert not survives(content[: int(share * len(content))], tmp_path)


@pytest.mark.parametrize("kind", FILES)
@given(
    flips=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=6)
)
@fuzzed
def test_bytes_changed(kind, flips, tmp_path):
    content = bytearray(FILES[kind])
    for share, value in flips:
        content[int(share * len(content))] = value
    survives(bytes(content), tmp_path)


@given(
    flips=st.lists(
        st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=4
    )
)
@example(flips=[(0.875, 10)])  # a line break in the name of an entry
@fuzzed
def test_the_pickle_in_a_whole_archive_changed(flips, tmp_path):
    """Behind a right checksum, so that it reaches the unpickler."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(FILES["zip"])) as old, zipfile.ZipFile(buffer, "w") as new:
        for name in old.namelist():
            content = bytearray(old.read(name))
            if name.endswith("data.pkl"):
                for share, value in flips:
                    content[int(share * len(content))] = value
            new.writestr(name, bytes(content))
    survives(buffer.getvalue(), tmp_path)


NUMBERS = st.integers(-2, 6) | st.sampled_from((10**6, 2**31, 2**63, 10**30, 1.5, None, "2"))
SPECS = st.fixed_dictionaries(
    {},
    optional={
        "dtype": st.sampled_from(("F32", "F16", "I64", "BOOL", "F8_E4M3", "F4", "C64", "", 3)),
        "shape": st.lists(NUMBERS, max_size=5) | NUMBERS,
        "data_offsets": st.lists(NUMBERS, max_size=3) | NUMBERS,
    },
)


@given(specs=st.dictionaries(st.sampled_from(list(ENTRIES)), SPECS, min_size=1, max_size=3))
@fuzzed
def test_safetensors_headers_changed(specs, tmp_path):
    content = FILES["safetensors"]
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    for name, changes in specs.items():
        header[name] |= changes
    text = json.dumps(header).encode()
    survives(len(text).to_bytes(8, "little") + text + content[8 + length :], tmp_path)


SHAPES = st.lists(st.sampled_from((0, 1, 2, 3, 4, 7, 16, 40)), max_size=5)


@given(shapes=st.dictionaries(st.sampled_from(list(ENTRIES)), SHAPES, min_size=1, max_size=4))
@fuzzed
def test_entries_of_any_shape(shapes, tmp_path):
    changed = {name: torch.zeros(shape) for name, shape in shapes.items()}
    survives(save({**ENTRIES, **changed}), tmp_path)
