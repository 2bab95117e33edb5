"""Files of class names as editors, spreadsheets and other programs write them."""

import json

import pytest

import nextify as nx
from nextify.network import read_class_names

THREE = ("cat", "café", "dog")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be-sig"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_text_in_every_form(encoding, end, tmp_path):
    text = end.join(THREE) + 3 * end
    is_big = encoding == "utf-16-be-sig"
    content = b"\xfe\xff" + text.encode("utf-16-be") if is_big else text.encode(encoding)
    (tmp_path / "names.txt").write_bytes(content)
    assert read_class_names(str(tmp_path / "names.txt")) == THREE


@pytest.mark.parametrize(
    "values",
    [
        list(THREE),
        {"2": "dog", "0": "cat", "1": "café"},
        {"dog": 2, "cat": 0, "café": 1},
        {"0": ["cat", "a cat"], "1": ["café", "a place"], "2": ["dog", "a dog"]},
        {"model_type": "convnext", "id2label": {"0": "cat", "1": "café", "2": "dog"}},
        {"label_names": list(THREE), "num_classes": 3},
    ],
)
def test_json_in_every_form(values, tmp_path):
    (tmp_path / "names.json").write_text(json.dumps(values))
    assert read_class_names(tmp_path / "names.json") == THREE


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("cat\ndog\ncat\n", "classes 1 and 3 have one name, 'cat'"),
        ("cat\n\ndog\n", "class 2 has no name"),
        ("0\tcat\n1\tdog\n", "'0\\tcat', with a control character"),
        ("", "it holds no names"),
        (b"cat\ncaf\xe9\n", "are not in UTF-8 (line 2); save the file as UTF-8"),
        (b"c\0a\0t\0", "with a control character"),
        ('{"0": "cat", "2": "dog"}', "are not numbered from 0 on"),
        ('{"cat": 0, "dog": 0}', "are not numbered from 0 on"),
        ('{"0": 3, "1": "dog"}', "class 1 has 3 for name"),
        ('["cat", ', "Expecting value"),
        ("[" * 100_000, "recursion"),
        ("[]", "it holds no names"),
    ],
)
def test_what_is_refused(content, words, tmp_path):
    file = tmp_path / "names"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(nx.InputError) as caught:
        read_class_names(file)
    said = str(caught.value)
    assert words in said and str(file) in said and "\n" not in said
    with pytest.raises(nx.InputError, match="cannot be read"):
        read_class_names(tmp_path)
