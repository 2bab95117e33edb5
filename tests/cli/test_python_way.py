"""From a folder of images to a network at work, in Python; what docs/python.md shows."""

import json
import pickle
import re
import subprocess
import sys
from base64 import b64decode
from copy import deepcopy
from functools import partial
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import nextify as nx
from nextify.data import load, telling

PAGE = Path(__file__).parents[2] / "docs" / "python.md"
PLACE = "<script>alert(1)</script>"
FIELDS = ("epochs=3", "batch_size=8", "warmup_epochs=0", "learning_rate=0.003")  # of a choice
SMALL = {"factors": "depthwise conv, BN to LN", "seeds": 1, "finalists": 1, "final_seeds": 2,
         "workers": 1, "no_pilot": True, "quiet": True}  # fmt: skip


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """A folder with `photos`: some of the embedded images, as files; and a network's folder."""
    root = tmp_path_factory.mktemp("python")
    dataset = load("embedded")
    for label in (4, 6, 8):  # Coat, Shirt, Bag
        folder = root / "photos" / dataset.classes[label]
        folder.mkdir(parents=True)
        for at, index in enumerate((dataset.train.labels == label).nonzero()[:120, 0].tolist()):
            Image.fromarray(dataset.train.pixels[index, 0].numpy()).save(folder / f"{at}.png")
    return root


@pytest.fixture
def here(photos, monkeypatch):
    monkeypatch.chdir(photos)
    monkeypatch.setenv("NEXTIFY_CACHE", str(photos / "cache"))
    return photos


@pytest.fixture
def trained(here):
    """Trained once: the same line again finds it."""
    options = {"output": "net", "image_size": 28, "quiet": True}
    return nx.train("convnext-mini", "epochs=1", "batch_size=32", data="photos", **options)


def is_shown(result, *texts):
    """Whether a result is in one piece of HTML that loads nothing and runs nothing."""
    html = result._repr_html_()
    assert html.startswith("<div") and html.count("<div") == html.count("</div>") == 1
    assert not re.findall(r"<(script|link|iframe)|(?:src|href)=\"(?!data:image/)", html)
    for kind, data in re.findall(r"data:image/(\w+);base64,([^\"]+)", html):
        assert Image.open(BytesIO(b64decode(data))).format == kind.upper()
    printed = repr(result)
    assert "<" not in printed and "bytes" not in printed and len(printed.splitlines()) < 25
    return all(text in html and text in printed for text in texts)


def test_what_factors_add_and_what_would_be_done_show_themselves(tmp_path):
    kept = PAGE.parents[1] / "studies" / "cifar10-factors" / "cifar10-factors.study"
    file = tmp_path / "a.study"
    file.write_bytes(kept.read_bytes())
    found = nx.attribute(str(file), output=str(tmp_path / "page"))
    assert is_shown(found, "patchify stem (−4.42)", "report: ", "95 %, all together", "hurts")
    assert is_shown(nx.study("small", seeds=2, plan=True, quiet=True), "30 runs, in ")


def blocks():
    return re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)


def test_the_page_runs(here, capsys):
    scope: dict = {}
    for block in blocks():
        if "nx.choose" not in block:
            exec(block, scope)
            last = re.match(r"(\w+) +# ", block.strip().splitlines()[-1])
            assert last is None or is_shown(scope[last[1]])
    assert (here / "how-good" / "report.html").exists()
    assert scope["card"].temperature == 1.0 != scope["scaled"].temperature
    assert nx.classifier(scope["trained"].folder).card.temperature == scope["scaled"].temperature


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_the_page_chooses(here):
    chooses = [block for block in blocks() if "nx.choose" in block]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nx, "choose", partial(nx.choose, *FIELDS, keep_weights=True, **SMALL),
                      raising=False)  # fmt: skip
        scope = {"nx": nx, "images": nx.load("photos", image_size=28)}
        for block in chooses:
            exec(block, scope)
    chosen = scope["chosen"]
    assert is_shown(chosen, "Recommended: ", "MACs")
    assert len(chosen.predict("photos/Bag")) == 120
    with pytest.raises(nx.InputError, match="no images that this network is known not to have"):
        chosen.evaluate()
    with pytest.raises(nx.InputError, match="was trained on all images of 'photos'"):
        chosen.evaluate(data="photos", quiet=True)
    shown = json.loads((chosen.folder / "report/network/report.json").read_text())
    finals = chosen.outcome.studies["finals"][1]
    one = next(run for run in finals if run.cells == (chosen.choice.winner,) and run.seed == 1)
    assert (shown["images"], shown["accuracy"]) == (72, one.result.accuracy)
    assert "trained with seed 1" in shown["worth"]
    assert shown["network"] == "the recommended design"
    assert shown["command"].startswith(
        "nextify evaluate runs/choose-photos-params-300k/finals.study"
    )


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_choice_with_images_held_out_is_scored_on_those_that_it_has_not_seen(here):
    options = {"image_size": 28, "params": "300k", "output": "held", **SMALL}
    chosen = nx.choose(*FIELDS, data="photos", hold_out=True, **options)
    assert chosen.winner["tested"] == 72
    found = chosen.evaluate(quiet=True)
    assert (len(found.images.test), found.scores.accuracy) == (72, chosen.winner["accuracy"])


def test_images_show_themselves_and_bring_their_options(here):
    images = nx.load("photos", image_size=20, train_limit=30)
    assert is_shown(images, "Coat", "24") and len(images.dataset.train) == 30
    trained = nx.train("convnext-mini", "epochs=1", "batch_size=10", data=images, quiet=True)
    data = trained.record.run["data"]
    assert (data["image_size"], data["train"]) == (20, 30)
    found = trained.evaluate(quiet=True)
    assert found.images.identity() == images.dataset.identity()
    assert found.scores.accuracy == trained.record.result.accuracy
    again = nx.classifier(trained.folder).evaluate(data=images, quiet=True)
    assert again.images.identity() == images.dataset.identity()
    others = trained.evaluate(data="photos", split_seed=1, quiet=True)  # as a command would
    assert len(others.images.train) == 288


def test_files_images_and_arrays_have_the_same_answers(trained):
    photo = Image.open("photos/Coat/3.png")
    array = np.asarray(photo.convert("RGB"))
    answers = trained.predict("photos/Coat/3.png", Path("photos/Coat/3.png"), photo, array,
                              np.asarray(photo))  # fmt: skip
    assert len(answers) == 5 and len({each.classes for each in answers}) == 1
    assert answers[2].classes == answers[0].classes and answers[-1].image.size == photo.size
    ((name, most), *_) = answers[0].classes
    assert name in trained.card.classes and 0 < most <= 1
    assert sum(value for _, value in answers[0].classes) == pytest.approx(1)
    assert is_shown(answers, "photos/Coat/3.png", "in memory")
    assert is_shown(trained, "accuracy") and is_shown(nx.classifier("net"), "3 classes")
    for wrong in (np.zeros((2, 2, 2), np.uint8), np.zeros((4, 4)), np.zeros((0, 4), np.uint8)):
        with pytest.raises(nx.InputError, match="is no image"):
            trained.predict(wrong)


def test_lists_and_generators_are_taken_and_what_is_no_image_is_refused(trained):
    names = [f"photos/Coat/{at}.png" for at in range(4)]
    found = trained.predict(names[0], (names[1], [names[2]]), (Path(each) for each in names[3:]))
    assert [str(each.image) for each in found] == names
    assert [each.classes for each in found[1:3]] == [found[1].classes, found[2].classes]
    answers = nx.predict("net", names[:2], names[2], quiet=True)
    assert [str(each.image) for each in answers] == names[:3]
    for wrong in (None, 3, b"a", {"a.png"}, BytesIO(b"one\ntwo\n"), [torch.zeros(2, 2)]):
        with pytest.raises(nx.InputError, match=r"^[^\n]+ is no image; give a file[^\n]+$"):
            trained.predict(wrong)
    with pytest.raises(nx.InputError, match=r"^images is [^\n]+; give texts$"):
        nx.predict("net", np.zeros((4, 4, 3), np.uint8))
    for top in (0, -1, "2", None):
        with pytest.raises(nx.InputError, match=f"top is {top!r}; give a whole number from 1"):
            trained.predict(names[0], top=top)
    assert len(trained.predict(names[0], top=np.int64(2))[0].classes) == 2


def test_broken_images_have_an_error_or_are_left_out(here, trained):
    folder = here / "broken"
    folder.mkdir()
    (folder / "0.png").write_text("none")
    (folder / "1.png").write_bytes((here / "photos/Coat/3.png").read_bytes())
    for answers in (trained.predict(folder), nx.predict("net", folder, quiet=True)):
        first, second = answers
        assert first.classes == () and first.error.path == str(first.image)
        assert second.classes and second.error is None
        assert is_shown(answers, "cannot be read") and not answers.skipped
    options = {"skip_unreadable": True}
    for answers in (trained.predict(folder, **options),
                    nx.predict("net", folder, quiet=True, **options)):  # fmt: skip
        for _ in range(2):
            assert [each.image.name for each in answers] == ["1.png"]
            assert [error.path for error in answers.skipped] == [str(folder / "0.png")]
        assert len(answers) == 2 and answers[0].error is not None


def test_the_network_is_the_users_own(trained):
    before = [each.classes for each in trained.predict("photos/Bag")]
    network = trained.network.train()
    for _ in range(2):
        assert [each.classes for each in trained.predict("photos/Bag")] == before
        assert trained.network is network and network.training
        network.to("meta")  # as to a GPU
    assert next(trained.network.parameters()).is_meta


def test_what_answers_is_copied_whether_or_not_it_has_answered(trained):
    trained.export("copied.pt2", speed=False, quiet=True)
    for one in (trained, nx.classifier("copied.pt2")):
        (found,) = one.predict("photos/Coat/3.png")
        assert one.network is not None
        assert pickle.loads(pickle.dumps(one)).predict("photos/Coat/3.png")[0] == found
        assert deepcopy(one).card == one.card
    with pytest.raises(nx.InputError, match="--most-loss does nothing without --int8"):
        trained.export("other.onnx", most_loss=0.1, quiet=True)


def test_quiet_is_quiet(trained, capsys, monkeypatch):
    monkeypatch.setattr(telling, "_LONG", 0.0)
    capsys.readouterr()
    nx.load("photos", image_size=21, quiet=True)
    trained.evaluate(image_size=22, quiet=True)
    nx.evaluate("net", data="photos", image_size=23, quiet=True)
    assert capsys.readouterr() == ("", "")
    nx.load("photos", image_size=24)
    assert "decoding 360 images" in capsys.readouterr().err


def test_a_broken_image_in_memory_is_told(trained):
    whole = BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)).save(
        whole, "PNG"
    )
    broken = Image.open(BytesIO(whole.getvalue()[:4000]))
    answers = trained.predict(broken)
    assert "cannot be read" in str(answers[0]) and is_shown(answers, "cannot be read")


def test_names_from_outside_are_only_text(here, trained):
    folder = here / f"photos-{PLACE.replace('/', '')}"
    folder.mkdir()
    (folder / "3.png").write_bytes((here / "photos" / "Coat" / "3.png").read_bytes())
    html = trained.predict(folder)._repr_html_()
    assert "<script" not in html and "&lt;script" in html


FREED = """
import numpy as np
import nextify as nx
from nextify.machine.use import in_use
from nextify.training.machine import keep_freed_memory

nx.load("photos", quiet=True)
keep_freed_memory()  # as training does
nx.load("photos", quiet=True)
before = in_use("cpu")
blocks = [np.ones(5_000_000) for _ in range(10)]  # 40 MB each
held = in_use("cpu") - before
blocks.clear()
print(held >> 20, in_use("cpu") - before >> 20)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the C library is glibc")
def test_after_a_call_freed_memory_goes_back_to_the_system(here):
    """In a process of its own: in this one, blocks may fit into holes of the heap, and stay."""
    done = subprocess.run([sys.executable, "-c", FREED], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    held, kept = map(int, done.stdout.split())
    assert held > 300 and kept < 20
