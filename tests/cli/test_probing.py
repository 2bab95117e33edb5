"""probe, from networks to a table and a page; probes of studies."""

import csv
import json
import shutil
from pathlib import Path

import pytest
import torch
from torchvision import models

import nextify as nx
from nextify.cli.main import main
from nextify.records import Store

from .conftest import contents, make_images

MINE = """
from nextify.probes import Found, Probe, Undefined

def measure(subject):
    if {broken}:
        raise RuntimeError("no luck")
    if len(subject.anatomy.stages) < 2:
        raise Undefined("it needs two stages")
    rows = [[0.0, 1.0], [float("nan"), 2.0]]
    return Found(value=-float(subject.images.mean()), values={{"share": 0.25}},
                 units={{"share": "%"}}, curves={{"map": rows}})

PROBE = Probe(name="{name}", title="Brightness", version=3, unit="sd", measure=measure)
"""
TRAINING = ("stem_stride=1", "epochs=1", "batch_size=8", "--data", "pets", "--image-size", "8")
TWO = ("probe", "resnet-small", "vit-mini", "--untrained", "--data", "pets", "--image-size", "16")


def own(name: str = "brightness", *, broken: bool = False) -> str:
    Path(f"{name}.py").write_text(MINE.format(name=name, broken=broken))
    return f"{name}.py"


@pytest.fixture(scope="session")
def trained_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `pets`, a network trained on them and a study with a kept one."""
    folder = tmp_path_factory.mktemp("probed")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("NEXTIFY_CACHE", str(folder / "cache"))
        make_images(folder / "pets", {"cat": 20, "dog": 20})
        how = ("--recipe", "modern-small", "--output", "net", "--threads", "1")
        assert main(["train", "convnext-mini", *TRAINING, *how]) == 0
        command = ("compare", "convnext-mini", *TRAINING, "--seeds", "1", "--no-pilot")
        kept = ("--workers", "1", "--file", "kept.study", "--keep-weights")
        assert main([*command, *kept, "--probes", own()]) == 0
    return folder


@pytest.fixture
def place(trained_once: Path, own_folder: Path) -> Path:
    for name in ("pets", "net", "kept.study.weights", "kept-report"):
        shutil.copytree(trained_once / name, own_folder / name)
    for name in ("kept.study", "brightness.py"):
        shutil.copy(trained_once / name, own_folder / name)
    return own_folder


def test_networks_side_by_side(nextify, pets):
    answer = nextify(*TWO, "--probes", f"feature-collapse,{own()}", "--images", "6")
    assert answer.code == 0
    head, _, collapse, bright, *rest = answer.out.splitlines()
    assert head.split() == ["probe", "unit", "resnet-small", "vit-mini"]
    assert collapse.startswith("feature-collapse  cosine distance")
    assert bright.split()[:2] == ["brightness", "sd"] and bright.endswith("–")
    assert rest == ["", "n = 6 images", "brightness of vit-mini: it needs two stages"]
    read = answer.err.splitlines()
    assert read[0] == "images: pets, 6 of 8 test images, drawn with seed 0"
    assert read[1].startswith("resnet-small: at initialisation; Convolutional: ")
    assert "21.2k parameters, images of 16 pixels" in read[2]


def test_json_is_one_object_a_probe_and_network_and_the_same_twice(nextify, pets):
    words = (*TWO, "--probes", f"feature-collapse,{own()}", "--json")
    first = json.loads(nextify(*words).out)
    written = nextify(*words, "--report", "page")
    again = json.loads(written.out)
    assert written.err.endswith("report: page/report.html\n")
    assert [(each["network"], each["probe"]) for each in first] == [
        ("resnet-small", "feature-collapse"), ("vit-mini", "feature-collapse"),
        ("resnet-small", "brightness"), ("vit-mini", "brightness"),
    ]  # fmt: skip
    bright, none = first[2:]
    assert bright["value"] < 0 or bright["value"] > 0
    assert (bright["unit"], bright["version"], bright["images"]) == ("sd", 3, 8)
    assert bright["curves"] == {"map": [[0.0, 1.0], [None, 2.0]]} and not bright["reason"]
    assert (none["value"], none["reason"], none["failed"]) == (None, "it needs two stages", False)
    for each in (*first, *again):
        assert each.pop("seconds") >= 0
    assert first == again
    other = json.loads(nextify(*words, "--seed", "1", "--images", "8").out)
    assert other[0]["value"] != first[0]["value"]  # other weights
    assert other[2]["value"] == first[2]["value"]  # all images


def test_a_page_with_a_figure_a_probe(nextify, pets):
    words = (*TWO, "--probes", f"feature-collapse,{own()}", "--report", "page")
    answer = nextify(*words)
    assert answer.code == 0 and answer.out.endswith("report: page/report.html\n")
    names = {path.name for path in Path("page").iterdir()}
    figures = {f"probe-{p}.{kind}" for p in ("feature-collapse", "brightness")
               for kind in ("svg", "png", "pdf")}  # fmt: skip
    assert names == {"probes.csv", "report.json", "report.html"} | figures
    html = Path("page/report.html").read_text()
    assert "Diversity of channels" in html and "arXiv 2301.00808" in html and "n = 8 images" in html
    assert "Brightness of vit-mini: it needs two stages." in html and html.count("<svg") == 2
    rows = list(csv.DictReader(Path("page/probes.csv").read_text().splitlines()))
    share = next(row for row in rows if row["number"] == "share")
    assert (share["network"], share["value"], share["unit"]) == ("resnet-small", "0.25", "%")
    values = json.loads(Path("page/report.json").read_text())
    assert len(values["measurements"]) == 4
    first = contents()
    assert nextify(*words).code == 0 and contents() == first  # to the byte


def test_a_trained_network_and_a_foreign_one_beside_it(nextify, place):
    torch.manual_seed(0)
    torch.save(models.resnet18(num_classes=3).state_dict(), "theirs.pth")
    answer = nextify("probe", "net", "theirs.pth", "--data", "pets", "--image-size", "32",
                     "--images", "8", "--probes", own(), "--json")  # fmt: skip
    assert answer.code == 0
    assert "theirs.pth: Convolutional: 2–2–2–2 basic blocks" in answer.err
    assert "its classes are not those of the images; how they look at images is not" in answer.err
    ours, theirs = json.loads(answer.out)
    assert ours["value"] is not None and theirs["value"] is not None
    assert ours["value"] != theirs["value"]  # it is not normalised alike


def test_a_probe_that_fails_is_said_and_the_others_stay(nextify, pets):
    words = (*TWO, "--probes", f"{own('bad', broken=True)},feature-collapse")
    answer = nextify(*words)
    assert answer.code == 1
    assert "bad: the probe failed: RuntimeError: no luck" in answer.out
    assert nextify(*words, "--json").code == 1


def test_from_python(pets):
    found = nx.probe("resnet-small", untrained=True, data="pets", image_size=16, quiet=True).found
    assert found["resnet-small"]["feature-collapse"].images == 8


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("net", "--probes", "feature-colapse"), "did you mean 'feature-collapse'"),
        (("net", "--probes", "none.py"), "none.py: there is no such file"),
        (("net", "--probes", "a.py,b.py"), "two probes are called 'same'; give one another name"),
        (("net", "--images", "9"), "--images is 9, and 'pets' has 8 test images; give at most 8"),
        (("net", "--image-size", "1"), "pixels"),
        (("net", "--probes", "many.py"), "there are 8 images, and the probes that are asked for "
         "need 90 at least"),
        (("net", "--probes", "large.py"), "images have 8 pixels a side, and the probes that are "
         "asked for need 90 at least"),
        (("net", "kernel_size=3"), "states its own design"),
        (("net", "net"), "network 'net' is named twice"),
        (("net", "--data", "empty"), "empty"),
        (("swin.pth",), "are not in a known naming"),
        (("swin.pth", "--design", "resnet-5"), "did you mean 'resnet-50'"),
        (("nothing",), "network nothing does not exist; give a folder"),
        (("resnet-small",), "add --untrained"),
        (("resnet-smal", "--untrained"), "did you mean 'resnet-small'"),
        (("resnet-small", "kernel_siz=3", "--untrained"), "did you mean 'kernel_size'"),
        (("kernel_size=3", "--untrained"), "no network is named"),
        (("kept.study", "net"), "stands beside a study file"),
        (("kept.study", "--images", "4"), "--images does nothing here"),
        (("kept.study", "--skip-unreadable"), "--skip-unreadable does nothing here"),
        (("kept.study", "--data", "pets", "--image-size", "9"), "--image-size does nothing here"),
        (("resnet-small", "--untrained", "--design", "vit-x"), "--design is of weights"),
        (("bare.study",), "has kept no network of its 1 finished run"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_one_line(refused, place, words, said):
    Path("empty").mkdir()
    for name in ("a", "b"):
        Path(f"{name}.py").write_text(MINE.format(name="same", broken=False))
    for name, needs in (("many", "images"), ("large", "side")):
        text = MINE.format(name=name, broken=False).replace("Undefined", "Undefined, Needs", 1)
        Path(f"{name}.py").write_text(text.replace("unit=", f"needs=Needs({needs}=90), unit="))
    torch.save({"layers.0.attn.qkv.weight": torch.zeros(3, 3)}, "swin.pth")
    shutil.copy("kept.study", "bare.study")
    data = () if "--data" in words or "study" in words[0] else ("--data", "pets")
    assert said in refused("probe", *words, *data)


@pytest.mark.parametrize("command", [("study", "small"), ("compare", "vit-mini"), ("choose",)])
def test_studies_refuse_unknown_probes_before_anything_else(refused, command):
    words = (*command, "--data", "nowhere", "--probes", "feature-colapse")
    budget = ("--params", "1M") if command == ("choose",) else ()
    assert "did you mean 'feature-collapse'" in refused(*words, *budget)


def test_a_study_has_them_from_its_workers_and_takes_more_later(nextify, place):
    """Also those of a user's own file, which workers are processes of their own for."""
    with Store.open("kept.study", create=False) as store:
        ((key, found),) = store.measurements().items()
        plan = store.plan()
    assert found["brightness"].version == 3 and found["brightness"].images == 8
    assert plan.probes == ("brightness.py",) and "--probes brightness.py" in plan.command
    assert "keep-weights" not in plan.command
    answer = nextify("probe", "kept.study", "--probes", "feature-collapse,brightness.py",
                     "--workers", "1")  # fmt: skip
    assert answer.code == 0
    assert "1 network probed in this start, of 1 finished runs" in answer.out
    again = nextify("probe", "kept.study", "--probes", "feature-collapse,brightness.py", "--json")
    rows = json.loads(again.out)
    assert [(row["probe"], row["network"], row["key"]) for row in rows] == [
        ("brightness", "convnext-mini, 32 images, seed 0", key),
        ("feature-collapse", "convnext-mini, 32 images, seed 0", key),
    ]
    assert all(row["value"] is not None and row["seed"] == 0 for row in rows)
    assert rows[0]["value"] == found["brightness"].value


def test_a_damaged_study_is_named_and_keeps_what_is_found(nextify, place):
    content = bytearray(Path("kept.study").read_bytes())
    content[16:100] = bytes(84)  # of the header
    Path("kept.study").write_bytes(content)
    answer = nextify("probe", "kept.study", "--probes", "feature-collapse", "--workers", "1")
    assert answer.code == 0 and "study file kept.study is damaged" in answer.err
    with Store.open("kept.study", create=False) as store:
        assert store.damage() is None
        assert {name for own in store.measurements().values() for name in own} == {
            "brightness", "feature-collapse",
        }  # fmt: skip


def test_a_study_that_goes_on_measures_kept_networks_and_says_of_which_none_is(nextify, place):
    command = ("compare", "convnext-mini", *TRAINING, "--seeds", "1", "--no-pilot", "--workers",
               "1", "--file", "kept.study", "--probes", "large.py")  # fmt: skip
    own("large")
    shutil.rmtree("kept.study.weights")
    answer = nextify(*command)
    assert answer.code == 0
    assert (
        "1 finished run of 1 cannot be probed any more: the networks were not kept "
        "(--keep-weights), and no run is trained again for a probe"
    ) in answer.err
    with Store.open("kept.study", create=False) as store:
        assert store.plan().probes == ("brightness.py", "large.py")
        assert {name for own in store.measurements().values() for name in own} == {"brightness"}


def test_the_page_shows_what_the_best_network_answers(nextify, place):
    """That of the kept study, made with it; made again only where it is not there."""
    with Store.open("kept.study", create=False) as store:
        (record,) = store.records()
    file = Path("kept-report/network/report.json")
    before, shown = file.stat().st_mtime_ns, json.loads(file.read_text())
    assert (shown["images"], shown["accuracy"]) == (8, record.result.accuracy)
    assert shown["worth"].startswith("this is the network of convnext-mini that was trained with")
    page = Path("kept-report/report.html").read_text()
    assert nextify("report", "kept.study").code == 0 and file.stat().st_mtime_ns == before
    assert Path("kept-report/report.html").read_text() == page
    assert 'href="network/report.html"' in page and "likely a little high" in page
    assert nextify(*shown["command"].split()[1:]).out.startswith(
        f"accuracy {100 * record.result.accuracy:.2f}%"
    )
    shutil.move("pets", "gone")
    for said in ("Not shown: ", "With --keep-weights they are"):
        assert nextify("report", "kept.study", "--output", "new").code == 0
        text = Path("new/report.html").read_text()
        assert said in text and "network/report.html" not in text
        shutil.rmtree("kept.study.weights", ignore_errors=True)
