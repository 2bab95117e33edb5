"""Numbers as people write them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextify.errors import InputError
from nextify.words import bytes_in_words, in_words, read_bytes, read_count, whole_number


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("12M", 12_000_000), ("12m", 12_000_000), ("2.2G", 2_200_000_000), ("500k", 500_000),
        ("500 K", 500_000), ("12000000", 12_000_000), ("1.1T", 1_100_000_000_000), ("1e6", 10**6),
        ("1.5e3k", 1_500_000), ("1.0000001M", 1_000_000), ("7", 7),
    ],
)  # fmt: skip
def test_counts(text, amount):
    assert read_count("params", text) == amount


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("200MB", 200_000_000), ("190MiB", 190 * 2**20), ("1.5 GiB", 3 * 2**29), ("512B", 512),
        ("64kB", 64_000), ("64KiB", 65_536), ("1TB", 10**12),
    ],
)  # fmt: skip
def test_bytes(text, amount):
    assert read_bytes("activation_memory", text) == amount


@pytest.mark.parametrize(
    "text",
    ["", "M", "12Q", "-3M", "1,5M", "1_000", "nan", "inf", "12MB", "1.M", "٣M", "12 M ", "0x1"],
)
def test_what_is_no_count(text):
    with pytest.raises(InputError) as caught:
        read_count("params", text)
    assert str(caught.value) == f"params is {text!r}; give a number, as 12M, 2.2G, 500k or 12000000"


@pytest.mark.parametrize("text", ["", "200", "200M", "200Mb", "200mb", "3iB", "-1MB", "1 0MB"])
def test_what_is_no_bytes(text):
    with pytest.raises(InputError) as caught:
        read_bytes("memory", text)
    assert str(caught.value) == (
        f"memory is {text!r}; give bytes with their unit, as 200MB or 190MiB"
    )


@pytest.mark.parametrize("text", ["0", "0.4", "0.0001k", "2e15", "1e99", "1001T"])
def test_amounts_out_of_bounds(text):
    with pytest.raises(InputError, match=r"it must be from 1 to 1e\+15"):
        read_count("macs", text)


@given(st.text(max_size=12))
def test_whatever_is_typed_is_read_or_refused(text):
    for read in (read_count, read_bytes):
        try:
            assert 1 <= read("amount", text) <= 10**15
        except InputError as error:
            assert repr(text) in str(error)


@given(st.integers(1, 10**15))
def test_words_are_the_amount_rounded(amount):
    assert read_count("n", in_words(amount)) == pytest.approx(amount, rel=0.005)
    assert read_bytes("n", bytes_in_words(amount)) == pytest.approx(amount, rel=0.005)


def test_whole_numbers():
    assert [whole_number("count", one) for one in (1, np.int8(3), 10**15)] == [1, 3, 10**15]
    assert type(whole_number("count", np.int64(3))) is int


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0, "count is 0; it must be at least 1"),
        (10**16, "count is 10000000000000000; it must be at most 1,000,000,000,000,000"),
        (2.0, "count is 2.0; it must be a whole number"),
        (True, "count is True; it must be a whole number"),
        ("3", "count is '3'; it must be a whole number"),
        (None, "count is None; it must be a whole number"),
        (np.ones(2), "it must be a whole number"),
    ],
)
def test_what_is_no_whole_number_is_refused(value, words):
    with pytest.raises(InputError) as caught:
        whole_number("count", value)
    assert words in str(caught.value)
