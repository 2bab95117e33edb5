"""Networks of a study that start from weights: named, planned, trained, and missed when gone."""

from dataclasses import asdict, replace
from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import save_file
from test_probed_runs import SPEC, Threads

import nextify as nx
from nextify.data import load
from nextify.designs import Initial, Run, path, recipe
from nextify.designs.run import key_of
from nextify.errors import InputError
from nextify.network import Card, save_network
from nextify.network.files import entries_in, load_network
from nextify.network.weights import source
from nextify.records import Store, plan_from_dict
from nextify.records.history import plan_hash
from nextify.records.same import first_difference
from nextify.requests import Compare, made
from nextify.studies import Frame, Network, execute, plan_comparison
from nextify.studies.kinds.candidates import Start, is_source
from nextify.studies.kinds.comparison import read_networks
from nextify.studies.kinds.factors import plan_experiment
from nextify.studies.kinds.settle import settled
from nextify.studies.running.probed import TrainProbed
from nextify.studies.running.weights import weights_file
from nextify.studies.running.worker import WorkerSetup
from nextify.training import initial_weights, train

CLASSES = ("cat", "dog", "owl")
DESIGN = nx.design("convnext-mini", depths=(1, 1), widths=(8, 16), stem_stride=4)


def trained(folder: Path, classes: tuple[str, ...] = CLASSES, seed: int = 7, design=DESIGN) -> Path:
    """A folder as train makes it, of a network that nobody has trained."""
    folder.mkdir(parents=True, exist_ok=True)
    card = Card(design, classes, 28, (0.3,) * 3, (0.2,) * 3, {})
    network = nx.build(design, classes=len(classes), seed=seed)
    save_network(network, card, folder / "network.safetensors")
    return folder


@pytest.fixture
def mine(tmp_path) -> Path:
    return trained(tmp_path / "mine")


def of_timm(file: Path, classes: int = 1000) -> Path:
    made = timm.models.convnext.ConvNeXt(
        depths=(1, 1, 2, 1), dims=(8, 16, 24, 32), num_classes=classes
    )
    save_file(made.state_dict(), file)
    return file


# ---- words


def test_weights_are_read_once(mine, monkeypatch):
    reads = []
    monkeypatch.setattr(source, "entries_in", lambda *of: reads.append(of) or entries_in(*of))
    (found,) = read_networks([str(mine)], "modern-small", CLASSES)
    assert found.initial == read_networks([str(mine)], "finetune-small", CLASSES)[0].initial
    assert len(reads) == 2


def test_weights_are_told_from_names(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    trained(tmp_path / "convnext-mini")
    trained(tmp_path / "mine")
    words = ("convnext-mini", "ConvNeXt_Mini", "./convnext-mini", "mine", "hf:a/b", "gone.pth", "x")
    assert [is_source(word) for word in words] == [False, False, True, True, True, True, False]


def test_words_name_weights_and_their_recipes(mine, tmp_path):
    foreign = str(of_timm(tmp_path / "theirs.safetensors"))
    words = ["convnext-mini", str(mine), "recipe=finetune-small", "epochs=3", str(mine),
             "recipe=frozen-small", "epochs=3", foreign, "recipe=finetune-small"]  # fmt: skip
    scratch, fine, frozen, theirs = read_networks(words, "modern-small", CLASSES)
    assert [each.name for each in (scratch, fine, frozen, theirs)] == [
        "convnext-mini", "mine finetune-small", "mine frozen-small",
        "theirs.safetensors",
    ]  # fmt: skip
    assert (scratch.recipe_name, scratch.initial) == ("modern-small", None)
    assert fine.design == frozen.design == DESIGN and fine.initial == frozen.initial
    assert not fine.initial.head_is_new and fine.initial.mean == (0.3,) * 3
    assert fine.recipe == recipe("finetune-small", epochs=3)
    assert frozen.recipe.trainable == "head"
    assert theirs.design.depths == (1, 1, 2, 1) and theirs.initial.head_is_new
    assert theirs.initial.mean == (0.485, 0.456, 0.406)


def test_a_design_field_that_contradicts_is_refused(mine, tmp_path):
    for field in ("kernel_size=5", "activation=relu"):  # in the shapes, and not in them
        with pytest.raises(InputError, match=f"of another design: .*{field[:6]}.*leave the"):
            read_networks([str(mine), field], "finetune-small", CLASSES)
    foreign = str(of_timm(tmp_path / "theirs.pth"))
    (one,) = read_networks([foreign, "activation=relu"], "finetune-small", CLASSES)
    assert one.design.activation == "relu", "which these shapes do not tell"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["recipe=frozen-small", "convnext-mini"], "stands before the first network"),
        (["convnext-mini", "recipe=a", "recipe=b"], "two recipes"),
        (["convnext-mini", "recipe=frozen"], "unknown recipe 'frozen'; did you mean"),
        (["lost.pth"], "weights lost.pth do not exist"),
        (["convnext-mni"], "unknown design 'convnext-mni'; did you mean 'convnext-mini'"),
    ],
)
def test_what_is_wrong_with_words(words, said):
    with pytest.raises(InputError, match=said):
        read_networks(words, "modern-small", CLASSES)


def test_transformers_do_not_start_from_weights(tmp_path):
    card = Card(nx.design("vit-mini"), CLASSES, 32, (0.3,) * 3, (0.2,) * 3, {})
    save_network(nx.build(card.design, classes=3, image_size=32), card, tmp_path / "v.safetensors")
    with pytest.raises(InputError, match=r"training from weights .*this one is a transformer"):
        read_networks([str(tmp_path / "v.safetensors")], "finetune-small", CLASSES)


# ---- what is left unsaid


def compared(*words: str, **options) -> Compare:
    return made(Compare, {"networks": list(words), **options})


def test_each_start_has_its_recipe(mine):
    found = settled(compared("convnext-mini", str(mine), images="60,250"), 5_000, 32)
    assert found.recipe == "modern-small"
    assert found.networks == (
        "batch_size=16", "epochs=63", "convnext-mini",
        str(mine), "recipe=finetune-small", "batch_size=20", "epochs=20",
    )  # fmt: skip
    assert settled(found, 50, 32) == found, "it is said now"
    alone = settled(compared(str(mine), str(mine), "recipe=frozen-small", "epochs=2"), 300, 32)
    assert alone.recipe is None and settled(alone, 50, 32) == alone
    assert alone.networks[-3:] == ("recipe=frozen-small", "epochs=2", "batch_size=20")
    all_alike = compared("convnext-mini", str(mine), recipe="modern-small")
    assert settled(all_alike, 300, 32) == all_alike, "a recipe that is named is for all"


def test_another_network_joins_as_those_there_were_settled(mine, tmp_path):
    first = settled(compared(str(mine), images="60"), 5_000, 32)
    there = plan_of(first)
    again = settled(compared(str(mine), images="60,2500"), 5_000, 32, there)
    assert again.networks == first.networks
    joined = settled(compared(str(mine), "vit-mini", images="60,2500"), 5_000, 32, there)
    assert joined.networks[-5:-1] == first.networks and joined.recipe == "modern-small"


def test_a_recipe_that_was_asked_for_is_not_another_requests(mine):
    there = plan_of(settled(compared(str(mine), "recipe=frozen-small", images="60"), 5_000, 32))
    found = settled(compared("vit-mini", str(mine), images="60"), 5_000, 32, there)
    assert found.networks[-3:] == ("recipe=finetune-small", "batch_size=5", "epochs=20")
    again = settled(compared(str(mine), "recipe=frozen-small", images="60"), 5_000, 32, there)
    assert again.networks == there.requests[0].networks


def plan_of(request: Compare):
    networks = read_networks(request.networks, request.recipe or "modern-small", CLASSES)
    data = {"name": "x", "fingerprint": "0", "image_size": 28, "classes": 3, "train": 5_000,
            "test": 9}  # fmt: skip
    return plan_comparison(networks, data=data, data_source="x", seeds=[0]).asked_by(request)


# ---- plans


def test_a_plan_keeps_what_runs_start_from(mine):
    plan = plan_of(compared("convnext-mini", str(mine), "recipe=finetune-small", "epochs=2"))
    values = plan.as_dict()
    scratch, started = values["cells"]
    assert "initial" not in scratch and started["initial"]["source"] == str(mine)
    assert plan_from_dict(values) == plan
    run = plan.run(plan.cells[1], 0)
    assert run.initial == plan.cells[1].initial
    told = run.as_dict()
    told["initial"] |= {"source": "elsewhere", "head_is_new": True}
    assert key_of(told) == run.key != replace(run, initial=None, recipe=recipe("modern-small")).key


def test_other_weights_are_another_study(mine, tmp_path):
    other = trained(tmp_path / "two" / "mine", seed=8)
    words = ("recipe=finetune-small",)
    first, second = (plan_of(compared(str(each), *words)) for each in (mine, other))
    assert "fingerprint of the weights" in str(first_difference(first, second))
    assert plan_hash(first) != plan_hash(second)
    moved = trained(tmp_path / "moved" / "mine")  # the same, from another place
    third = plan_of(compared(str(moved), *words))
    assert first_difference(first, third) is None and plan_hash(third) == plan_hash(first)
    same = compared(str(mine), *words, str(moved), *words)
    with pytest.raises(InputError, match="same design under the same recipe, from the same weig"):
        plan_of(same)
    both = plan_of(compared(str(mine), *words, str(other), *words))
    assert [cell.network for cell in both.cells] == [str(mine), str(other)], "of one short name"


def test_weights_are_not_rescaled(mine):
    networks = read_networks([str(mine), "recipe=finetune-small"], "", CLASSES)
    data = {"image_size": 28, "classes": 3, "train": 500, "test": 9, "name": "x"}
    with pytest.raises(InputError, match="network 'mine': its weights are of these widths"):
        plan_comparison(networks, data=data, data_source="", seeds=[0], matched="macs")


def test_from_scratch_a_recipe_that_needs_weights_is_refused():
    with pytest.raises(InputError, match="'convnext-mini': recipe field 'weight_init' is 'pretr"):
        plan_of(compared("convnext-mini", "recipe=frozen-small"))


# ---- runs


@pytest.fixture(scope="module")
def images():
    return load(SPEC)


def plan_on(images, source: Path, **changes):
    how = recipe("finetune-small", epochs=1, batch_size=16, **changes)
    weights = initial_weights(source, DESIGN, images.classes)
    network = Network(name="mine", design=DESIGN, recipe_name="finetune-small", recipe=how,
                      initial=weights.about)  # fmt: skip
    scratch = replace(network, name="scratch", recipe=recipe("modern-small", epochs=1,
                      batch_size=16, crop="none"), initial=None)  # fmt: skip
    return plan_comparison(
        [network, scratch], data=images.identity(), data_source="x", seeds=[0, 1]
    )


def carried_out(plan, file: Path, **options):
    return execute(plan, file, WorkerSetup(SPEC), crew=Threads(), **options)


def test_workers_train_from_the_weights(images, mine, tmp_path):
    plan, file = plan_on(images, mine), tmp_path / "s.study"
    assert carried_out(plan, file, train=TrainProbed((), keep_weights=True)).finished == 4
    weights = initial_weights(mine, DESIGN, images.classes)
    with Store.open(file, create=False) as store:
        for seed in plan.seeds:
            run = plan.run(plan.cells[0], seed)
            there = store.get(run.key)
            assert there.run["initial"]["fingerprint"] == weights.about.fingerprint
            assert there.result == train(run, images, weights=weights).result
            card = load_network(weights_file(file, run.key))[1]
            assert card.about["weights"] == str(mine) and card.mean == (0.3,) * 3


def test_a_frozen_body_keeps_its_weights(images, mine, tmp_path):
    plan, file = plan_on(images, mine, trainable="head"), tmp_path / "s.study"
    carried_out(plan, file, train=TrainProbed((), keep_weights=True))
    kept, _ = load_network(weights_file(file, plan.run(plan.cells[0], 0).key))
    body = initial_weights(mine, DESIGN, images.classes).entries
    own = kept.state_dict()
    assert all(torch.equal(own[name], body[name]) for name in body if "head" not in name)


def test_weights_that_changed_stop_the_study_and_are_no_runs_failure(images, mine, tmp_path):
    plan, file = plan_on(images, mine), tmp_path / "s.study"
    trained(mine, seed=9)
    with pytest.raises(InputError, match="not those that the study was planned with: their finge"):
        carried_out(plan, file)
    (mine / "network.safetensors").unlink()
    with pytest.raises(InputError, match=r"cannot be read any more: .*holds no weights"):
        carried_out(plan, file)
    with Store.open(file, create=False) as store:
        assert not store.records()
    trained(mine)
    assert carried_out(plan, file).finished == 4, "they are back"


# ---- factors


def frame(source: Path, *factors: str, **options) -> Frame:
    from nextify.designs import Factor

    chosen = tuple(Factor(name=name, choices=(name,)) for name in factors)
    data = {"name": "x", "fingerprint": "0", "image_size": 28, "classes": 3, "train": 500,
            "test": 9}  # fmt: skip
    return Frame(path("small"), data=data, data_source="x", seeds=[0], factors=chosen,
                 start=Start(str(source), CLASSES), **options)  # fmt: skip


def test_an_experiment_starts_from_weights_that_all_its_designs_have(tmp_path):
    start = path("small").start
    source = trained(tmp_path / "plain", design=start)
    plan = plan_experiment(frame(source, "ReLU to GELU", "fewer activations"), "full")
    assert len(plan.cells) == 4
    assert {cell.initial.fingerprint for cell in plan.cells} == {
        initial_weights(source, start, CLASSES).about.fingerprint
    }
    assert not any(cell.stacks for cell in plan.cells)


def test_factors_that_change_what_weights_there_are_are_named_at_once(tmp_path):
    made = frame(tmp_path, "ReLU to GELU", "BN to LN", "layer scale")
    with pytest.raises(InputError, match="'BN to LN' and 'layer scale' change which weights"):
        plan_experiment(made, "full")


def test_a_run_says_no_more_than_before():
    told = asdict(Initial(source="s", fingerprint="f", mean=(0.5,), std=(0.2,)))
    assert set(told) == {"source", "fingerprint", "mean", "std", "head_is_new"}
    without = {name: value for name, value in told.items() if name != "head_is_new"}
    assert key_of({"initial": told}) == key_of({"initial": without})
    assert Run.__dataclass_fields__["initial"].default is None
