"""Files are there whole or not at all; folders are made, or it is said why not."""

import errno
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from nextify.errors import InputError
from nextify.files import (
    alone,
    as_text,
    forget_drafts,
    from_home,
    is_there,
    read_json,
    replace_file,
    require_place,
    require_writable,
    write_whole,
)


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def test_bytes_text_and_what_writes_itself(tmp_path):
    for content in (b"\xc3\xbc", "ü", lambda file: file.write("ü".encode())):
        replace_file(tmp_path / "new" / "file", content)
        assert (tmp_path / "new" / "file").read_text(encoding="utf-8") == "ü"
        assert names(tmp_path / "new") == ["file"]
        (tmp_path / "new" / "file").unlink()


def test_a_file_has_the_permissions_of_any_other(tmp_path):
    (tmp_path / "other").write_text("")
    replace_file(tmp_path / "file", "")
    assert (tmp_path / "file").stat().st_mode == (tmp_path / "other").stat().st_mode


@pytest.mark.parametrize(
    "error", [OSError(errno.ENOSPC, "full"), KeyboardInterrupt(), ValueError()]
)
def test_an_error_in_the_middle_leaves_the_old_file(tmp_path, error):
    def write(file) -> None:
        file.write(b"new")
        file.flush()
        raise error

    (tmp_path / "file").write_text("old")
    with pytest.raises(type(error)):
        replace_file(tmp_path / "file", write)
    assert (tmp_path / "file").read_text() == "old"
    assert names(tmp_path) == ["file"]


KILLED = (
    "import os, signal, sys; from pathlib import Path; from nextify.files import replace_file; "
    "replace_file(Path(sys.argv[1]), lambda file: (file.write(b'new'), file.flush(), "
    "os.kill(os.getpid(), signal.SIGKILL)))"
)


def test_a_kill_in_the_middle_leaves_the_old_file_and_the_next_write_nothing_else(tmp_path):
    file = tmp_path / "file"
    file.write_text("old")
    killed = subprocess.run([sys.executable, "-c", KILLED, str(file)], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert file.read_text() == "old"
    replace_file(file, "newer")
    assert file.read_text() == "newer"
    assert names(tmp_path) == ["file"]


def test_several_may_write_at_the_same_time(tmp_path):
    """A second writer begins and ends while the first is at work."""

    def write(file) -> None:
        file.write(b"fir")
        replace_file(tmp_path / "file", "second")
        file.write(b"st")

    replace_file(tmp_path / "file", write)
    assert (tmp_path / "file").read_text() == "first"
    assert names(tmp_path) == ["file"]


def test_what_cannot_be_written_is_said(tmp_path):
    (tmp_path / "taken").write_text("")
    remedy = "choose another folder"
    with pytest.raises(InputError, match=r"cannot write network .*taken/x: .*; choose another"):
        write_whole(tmp_path / "taken" / "x", b"", what="network", remedy=remedy)
    with pytest.raises(InputError, match="File name too long; choose another"):
        write_whole(tmp_path / ("n" * 300), b"", what="network", remedy=remedy)
    assert names(tmp_path) == ["taken"]


def test_objects(tmp_path):
    def read(name: str) -> dict | None:
        return read_json(tmp_path / name, "record", "name another")

    (tmp_path / "good").write_text('{"name": "ü"}', encoding="utf-8")
    assert read("good") == {"name": "ü"}
    assert read("missing") is None and read("good/inside") is None
    for text in ("", "[]", "3", "{", "\0", "[" * 100_000):
        (tmp_path / "bad").write_text(text)
        with pytest.raises(InputError, match=r"^file .*bad is no record; name another$"):
            read("bad")
    (tmp_path / "bad").write_bytes(b"\xff\xfe{")
    with pytest.raises(InputError, match="is no record"):
        read("bad")
    with pytest.raises(InputError, match=r"cannot be read \(Is a directory\); name another"):
        read("")


def test_folders(tmp_path):
    require_place(tmp_path / "a" / "b", "--output")
    assert is_there(tmp_path / "a" / "b") and names(tmp_path / "a" / "b") == []
    assert not is_there(tmp_path / ("n" * 300))
    require_writable(tmp_path / "c" / "d", "--output")
    assert not is_there(tmp_path / "c")
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"a file is in its place\); name another with --output"):
        require_place(tmp_path / "file" / "c", "--output")
    with pytest.raises(InputError, match=r"a file is in its place\); name another with --output"):
        require_writable(tmp_path / "file" / "c", "--output")


HOLDS = (
    "import sys, time; from pathlib import Path; from nextify.files import alone\n"
    "with alone(Path(sys.argv[1]), 'name another'): print('held', flush=True); time.sleep(600)"
)


@pytest.mark.parametrize("is_folder", [True, False])
def test_two_do_not_write_one_place(tmp_path, is_folder):
    place = tmp_path / "place"
    if is_folder:
        place.mkdir()
    holds = [sys.executable, "-c", HOLDS, str(place)]
    with subprocess.Popen(holds, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "held\n"
        said = rf"place is being written by another process \({other.pid}\); .* name another"
        with pytest.raises(InputError, match=said), alone(place, "name another"):
            pass
        other.send_signal(signal.SIGKILL)
    with (  # what a kill leaves locks nothing
        alone(place, "name another"),
        pytest.raises(InputError, match=str(os.getpid())),
        alone(place, "name another"),
    ):
        pass
    with alone(place, "name another"):
        pass
    assert not any(path.name.endswith("lock") for path in tmp_path.rglob("*"))


def test_one_waits_until_the_other_has_written(tmp_path):
    seen: list[str] = []

    def write() -> None:
        with alone(tmp_path, "", wait=True):
            seen.append("later")

    with alone(tmp_path, ""):
        thread = threading.Thread(target=write)
        thread.start()
        thread.join(0.05)
        seen.append("first")
    thread.join()
    assert seen == ["first", "later"] and names(tmp_path) == []


def test_a_child_holds_no_lock_of_its_parent(tmp_path):
    reader, writer = os.pipe()
    with alone(tmp_path, ""):
        child = os.fork()
        if not child:
            os.read(reader, 1)
            os._exit(0)
    with alone(tmp_path, ""):
        pass
    os.write(writer, b".")
    assert os.waitpid(child, 0)[1] == 0


def test_a_place_that_cannot_be_locked(tmp_path):
    missing = alone(tmp_path / "not" / "here", "name another")
    with pytest.raises(InputError, match=r"cannot be written \(.*; name another"), missing:
        pass


def test_drafts_that_kills_have_left_go(tmp_path):
    for name in (".a[1].json.partial", ".a[1].json.0f3a.partial", ".b.json.partial", "a[1].json"):
        (tmp_path / name).touch()
    forget_drafts(tmp_path / "a[1].json")
    assert set(names(tmp_path)) == {".b.json.partial", "a[1].json"}


def test_a_home_that_there_is_not():
    with pytest.raises(InputError, match=r"'~nobody-at-all/x': there is no such home .*; name it"):
        from_home("~nobody-at-all/x", "name it")


def test_a_name_that_is_no_text_has_one_that_is(tmp_path):
    file = tmp_path / os.fsdecode(b"gr\xfcn")
    file.write_text("held")
    with as_text(file) as name:
        assert str(name).encode() and name.read_text() == "held"
    with as_text(tmp_path) as name:
        assert name == tmp_path
