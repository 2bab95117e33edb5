"""Repositories on the hub, with a stand-in for huggingface_hub; and itself, offline."""

import json
import sys
from types import ModuleType, SimpleNamespace

import pytest

import nextify as nx
from network.weights.conftest import state, tiny

SOURCE = "hf:timm/tiny.in1k"


class Errors(ModuleType):
    """The errors that huggingface_hub raises, related as they are there."""

    class EntryNotFoundError(Exception):
        pass

    class LocalEntryNotFoundError(FileNotFoundError, EntryNotFoundError):
        pass

    class RepositoryNotFoundError(OSError):
        pass

    class RevisionNotFoundError(OSError):
        pass

    class OfflineModeIsEnabled(ConnectionError):
        pass

    class HFValidationError(ValueError):
        pass


@pytest.fixture
def hub(monkeypatch, tmp_path):
    """A hub whose files are those in a folder; `asked` are the calls; `failure` is raised."""
    found = SimpleNamespace(folder=tmp_path, asked=[], failure=None)

    def hf_hub_download(repo_id, filename, revision=None):
        found.asked.append((repo_id, filename, revision))
        if found.failure is not None:
            raise found.failure
        if not (tmp_path / filename).exists():
            raise Errors.EntryNotFoundError(filename)
        return str(tmp_path / filename)

    fake = ModuleType("huggingface_hub")
    fake.hf_hub_download, fake.errors = hf_hub_download, Errors("huggingface_hub.errors")
    monkeypatch.setitem(sys.modules, "huggingface_hub", fake)
    monkeypatch.setitem(sys.modules, "huggingface_hub.errors", fake.errors)
    return found


@pytest.mark.parametrize("name", ["model.safetensors", "pytorch_model.bin"])
def test_weights_with_their_preprocessing(hub, name):
    nx.save_weights(tiny(), hub.folder / name, "timm")
    images = {"input_size": [3, 288, 288], "crop_pct": 0.95, "interpolation": "bilinear",
              "mean": [0.5, 0.5, 0.5], "std": [0.25, 0.25, 0.25]}  # fmt: skip
    (hub.folder / "config.json").write_text(json.dumps({"pretrained_cfg": images}))
    network = tiny(seed=3)
    loaded = nx.load_weights(network, SOURCE)
    assert (loaded.naming, loaded.source) == ("timm", SOURCE)
    found = loaded.preprocessing
    assert (found.image_size, found.crop, found.interpolation) == (288, 0.95, "bilinear")
    assert (found.mean, found.std, found.is_stated) == ((0.5,) * 3, (0.25,) * 3, True)
    assert all((state(tiny())[key] == entry).all() for key, entry in state(network).items())
    assert hub.asked[0] == ("timm/tiny.in1k", "model.safetensors", None)


def test_a_revision_and_no_configuration(hub):
    nx.save_weights(tiny(), hub.folder / "model.safetensors", "timm")
    loaded = nx.load_weights(tiny(), f"{SOURCE}@refs/pr/1")
    assert {revision for _, _, revision in hub.asked} == {"refs/pr/1"}
    assert not loaded.preprocessing.is_stated


@pytest.mark.parametrize(
    ("failure", "words"),
    [
        (Errors.LocalEntryNotFoundError("x"), "repeat with a network"),
        (Errors.OfflineModeIsEnabled("x"), "repeat with a network"),
        (TimeoutError("timed\nout"), "timed out"),
        (Errors.RepositoryNotFoundError("x"), "check its name, and log in"),
        (Errors.RevisionNotFoundError("x"), "check its name, and log in"),
        (Errors.HFValidationError("x"), "no name on the hub"),
        (Errors.EntryNotFoundError("x"), "holds none of model.safetensors, pytorch_model.bin"),
    ],
)
def test_what_can_go_wrong_there(hub, refuses, failure, words):
    hub.failure = failure
    message = refuses(SOURCE)
    assert words in message and "timm/tiny.in1k" in message


@pytest.mark.parametrize("name", ["hf:tiny", "hf:", "hf:a/b/c", "hf:a/b@", "hf:a b/c", "hf:../x/y"])
def test_names_that_are_none(hub, refuses, name):
    assert "give hf:owner/name" in refuses(name)
    assert not hub.asked


def test_without_huggingface_hub(monkeypatch, refuses):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    assert "pip install 'nextify[hub]'" in refuses(SOURCE)


def test_huggingface_hub_itself_offline(monkeypatch, tmp_path, refuses):
    constants = pytest.importorskip("huggingface_hub").constants
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    message = refuses(SOURCE)
    assert "model.safetensors of 'timm/tiny.in1k' cannot be fetched" in message
    assert "repeat with a network" in message
