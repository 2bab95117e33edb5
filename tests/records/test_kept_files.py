"""Study files of every version so far are read as on the day they were written, and go on."""

import json
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import nextify
from nextify.cli.main import main
from nextify.records import Store, places
from nextify.report import write_report
from nextify.requests import command_line

KEPT = Path(__file__).parent / "kept"
FILES = sorted(KEPT.glob("*.study"))
STUDIES = sorted((Path(__file__).parents[2] / "studies").rglob("*.study"))


@pytest.fixture
def toy(tmp_path, monkeypatch) -> Path:
    """A folder with the images of the kept files, from where they were made."""
    strip = np.asarray(Image.open(KEPT / "toy.png"))
    names = [
        f"{part}/{kind}/{name}.png"
        for part, count in (("test", 6), ("train", 12))
        for kind in ("ash", "birch", "cedar")
        for name in sorted(map(str, range(count)))
    ]
    for at, name in enumerate(names):
        place = tmp_path / "toy" / name
        place.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(strip[16 * at : 16 * (at + 1)]).save(place)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def by_hand(file: Path) -> list[float]:
    """The accuracies in a file, without any code of ours."""
    with sqlite3.connect(file) as connection:
        rows = connection.execute("SELECT result FROM runs WHERE outcome = 'finished'").fetchall()
    return sorted(json.loads(result)["accuracy"] for (result,) in rows)


@pytest.mark.parametrize("file", [*FILES, *STUDIES], ids=lambda file: file.stem)
def test_every_record_has_its_place(file):
    with Store.open(file, create=False) as store:
        plan, records = store.plan(), store.records()
    found = places(plan, records)
    assert set(found) == {(c.name, seed) for c in plan.cells for seed in plan.seeds_of(c)}
    shared = {record.key: record for record in found.values()}
    assert sorted(r.result.accuracy for r in shared.values() if r.result) == by_hand(file)
    for (cell, seed), record in found.items():
        design = next(each.design for each in plan.cells if each.name == cell)
        assert record.seed == seed and record.run["design"].items() <= vars_of(design).items()


def vars_of(design: object) -> dict[str, object]:
    return {name: getattr(design, name) for name in type(design).__dataclass_fields__}


@pytest.mark.parametrize("file", [*FILES, *STUDIES], ids=lambda file: file.stem)
def test_what_was_asked_for_is_known(file):
    """Of files from before requests were kept, it is read from their command."""
    with Store.open(file, create=False) as store:
        plan = store.plan()
    lines = [line for request in plan.requests for line in [command_line(request)]]
    assert sorted(" ".join(lines).split()) == sorted(plan.command.replace(" && ", " ").split())
    assert plan.where is not None and plan.where.source in ("toy", "cifar10-jpeg")


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_file_has_a_whole_report(file, tmp_path):
    before = file.read_bytes()
    written = write_report(file, tmp_path / "report")
    assert written.html.stat().st_size > 10_000
    told = (
        "30 of 30 results were made by revision 1 of the training code" in written.html.read_text()
    )
    assert told == (file.stem == "path-1")
    assert file.read_bytes() == before  # reading changes nothing


AHEAD = """
import json, sys
from nextify.findings import attribute, grid, scores
from nextify.records import Store, places
for file in sys.argv[1:]:
    with Store.open(file, create=False) as store:
        plan, records = store.plan(), store.records()
    said = [len(places(plan, records)), scores(grid(plan, records)).tolist()]
    if plan.factors:
        found = attribute(plan, records).contributions
        said += [[each.estimate.value, str(each.simultaneous)] for each in found]
    print(json.dumps(said))
"""


def said(source: Path, files: list[Path]) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", AHEAD, *map(str, files)],
        env={"PYTHONPATH": str(source), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()


@pytest.mark.slow
def test_a_later_revision_and_another_field_lose_nothing(tmp_path):
    source = Path(nextify.__file__).parents[1]
    ahead = tmp_path / "src"
    shutil.copytree(source, ahead, ignore=shutil.ignore_patterns("__pycache__"))
    edited(ahead / "nextify/designs/run.py", "REVISION = 2", "REVISION = 3")
    field = '    response_norm: Literal["none", "global"] = "none"\n'
    edited(ahead / "nextify/designs/design.py", field, f"{field}    one_more: int = 1\n")
    edited(
        ahead / "nextify/designs/recipe.py",
        "\n    def __post_init__",
        "\n    other: float = 0.5\n\n    def __post_init__",
    )
    files = [
        file for file in [*FILES, *STUDIES] if file.stem != "factors-2"
    ]  # it tells no intervals
    assert said(ahead, files) == said(source, files)


def edited(file: Path, before: str, after: str) -> None:
    text = file.read_text()
    assert text.count(before) == 1
    file.write_text(text.replace(before, after))


SLOW = pytest.mark.slow


@pytest.mark.parametrize(
    "name", [pytest.param("path-1", marks=SLOW), pytest.param("path-2", marks=SLOW), "path-4"]
)
def test_a_study_of_an_older_version_goes_on(toy, name, capsys):
    """Its runs are kept, whatever the revision that made them; what is missing is trained."""
    shutil.copy(KEPT / f"{name}.study", toy / "old.study")
    with sqlite3.connect("old.study") as connection:
        rows = connection.execute("SELECT * FROM runs ORDER BY rowid").fetchall()
        connection.execute("DELETE FROM runs WHERE rowid > 26")
    connection.close()
    with Store.open("old.study", create=False) as store:
        asked = store.plan().command.split()[1:]
    assert main([*asked, "--workers", "1", "--file", "old.study"]) == 0
    assert "30 of 30 runs recorded" in capsys.readouterr().out
    with sqlite3.connect("old.study") as connection:
        after = connection.execute("SELECT * FROM runs ORDER BY rowid").fetchall()
    connection.close()
    assert after[:26] == rows[:26] and len(after) == 30
    assert main([*asked, "--workers", "1", "--file", "old.study"]) == 0  # and again: nothing to do
    with Store.open("old.study", create=False) as store:
        assert len(places(store.plan(), store.records())) == len(store.records()) == 30


def test_unknown_tables_are_left_alone(toy):
    """A newer version's: what this one does not know, it neither reads nor loses."""
    shutil.copy(KEPT / "path-4.study", toy / "new.study")
    with sqlite3.connect("new.study") as connection:
        connection.execute("CREATE TABLE moods (cell TEXT, value REAL)")
        connection.execute("INSERT INTO moods VALUES ('small ResNet', 0.5)")
    connection.close()
    with Store.open("new.study") as store:
        plan = store.plan()
        store.save_plan(plan)
    with sqlite3.connect("new.study") as connection:
        assert connection.execute("SELECT * FROM moods").fetchall() == [("small ResNet", 0.5)]
        values = json.loads(connection.execute("SELECT plan FROM plan").fetchone()[0])
        values["of_a_newer_version"] = values["cells"][0]["another"] = 1
        connection.execute("INSERT OR REPLACE INTO plan VALUES (1, ?)", (json.dumps(values),))
    connection.close()
    with Store.open("new.study", create=False) as store:
        assert store.plan() == plan
