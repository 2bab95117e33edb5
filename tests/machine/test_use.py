"""Memory in use, on systems that tell more and less of it."""

import mmap

import pytest

from nextify.machine import use


def test_the_peak_is_forgotten_and_grows_again():
    use.forget_peak("cpu")
    before = use.peak("cpu")
    with mmap.mmap(-1, 64 << 20) as held:  # new pages, whatever was freed before
        for at in range(0, len(held), mmap.PAGESIZE):
            held[at] = 1
    assert use.peak("cpu") >= before + (32 << 20)
    assert 0 < use.in_use("cpu") <= use.peak("cpu")


@pytest.mark.parametrize("status", [None, "Name:\tpython\nVmSize:\t   9 kB\n\n"])
def test_a_system_that_does_not_tell(tmp_path, monkeypatch, status):
    """Without the file, or without the line: the highest use since the start."""
    monkeypatch.setattr(use, "PROCESS", tmp_path)
    if status is not None:
        (tmp_path / "status").write_text(status)
    use.forget_peak("cpu")
    assert use.peak("cpu") > 1 << 20 and use.in_use("cpu") > 1 << 20
