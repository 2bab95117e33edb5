"""Comparisons: which runs they are made of, what is equal in them, and what is refused."""

from dataclasses import replace

import pytest
from tiny_study import DATA, NoData, Trainer

from nextify.costs import cost
from nextify.designs import design, recipe
from nextify.errors import InputError
from nextify.records import Store, plan_from_dict
from nextify.records.same import first_difference, united
from nextify.studies import Network, execute, plan_comparison
from nextify.studies.running.jobs import jobs_of

NAMES = ("resnet-small", "convnext-mini", "swin-mini", "vit-mini")
CIFAR = {**DATA, "image_size": 32, "train": 50_000, "test": 10_000}


def network(name: str, **fields) -> Network:
    return Network(name=name, design=design(name), recipe_name="modern-small",
                   recipe=recipe("modern-small", **fields))  # fmt: skip


def plan(names=NAMES, **options):
    networks = [network(name) for name in names]
    given = {"data": CIFAR, "data_source": "x", "seeds": [0, 1], **options}
    return plan_comparison(networks, **given)


def test_every_network_on_every_number_with_every_seed():
    made = plan(images=(100, 5000, 50_000))
    assert {(cell.network, made.images_of(cell)) for cell in made.cells} == {
        (name, number) for name in NAMES for number in (100, 5000, 50_000)
    }
    assert len(made.runs()) == len({run.key for run in made.runs()}) == 24
    assert [made.images_of(cell) for cell in made.cells[:4]] == [50_000] * 4


def test_all_networks_get_the_same_draw_of_a_seed():
    made = plan(images=(100, 50_000))
    draws = {tuple(sorted(run.data.items())) for run in made.runs()}
    assert len(draws) == 3  # two draws, and all images
    few = [run.data for run in made.runs() if run.data["train"] == 100]
    assert {(d["drawn_from"], d["draw_seed"]) for d in few} == {(50_000, 0), (50_000, 1)}
    everything = [run.data for run in made.runs() if run.data["train"] == 50_000]
    assert all(dict(data) == CIFAR for data in everything)


def test_equal_macs():
    made = plan(matched="macs", target=2e6)
    for cell in made.cells:
        counted = cost(cell.design, 32, 10)
        assert (counted.macs, counted.params) == (cell.macs, cell.params)
        within = 0.005 if cell.design.__class__.__name__ == "Design" else 0.05
        assert abs(cell.macs / 2e6 - 1) <= within, cell.name
    first = plan(matched="macs")
    own = cost(design("resnet-small"), 32, 10).macs
    assert all(abs(cell.macs / own - 1) <= 0.05 for cell in first.cells)


def test_equal_parameters_of_convolutional_networks():
    made = plan(NAMES[:2], matched="params", target=100_000)
    assert all(abs(cell.params / 100_000 - 1) <= 0.005 for cell in made.cells)
    with pytest.raises(InputError, match="'swin-mini': a transformer is rescaled"):
        plan(matched="params")


def test_as_many_updates_on_fewer_images():
    made = plan(("vit-mini",), images=(1250, 12_500, 50_000), most_epochs=24)
    epochs = {made.images_of(cell): cell.recipe.epochs for cell in made.cells}
    assert epochs == {1250: 24, 12_500: 24, 50_000: 6}
    made = plan(("vit-mini",), images=(200, 50_000), most_epochs=9999)
    size = made.cells[0].recipe.batch_size
    updates = {c.recipe.epochs * (made.images_of(c) // size) for c in made.cells}
    assert max(updates) - min(updates) <= 200 // size / 2  # an epoch has no part of a batch
    equal = plan(("vit-mini",), images=(1250, 50_000))
    assert {cell.recipe.epochs for cell in equal.cells} == {6}


def test_work_counts_the_images_of_a_run():
    made = plan(("vit-mini",), images=(100, 50_000))
    work = [job.work for job in jobs_of(made).values()]
    assert work == [c.macs * 6 * n for _ in made.seeds for c, n in zip(made.cells, (50_000, 100),
                                                                      strict=True)]  # fmt: skip


def test_a_network_at_several_rates():
    one = network("vit-mini").at_rate(0.5)
    assert one.name == "vit-mini, rate 0.5" and one.recipe.learning_rate == 4e-3
    made = plan_comparison([one], data=CIFAR, data_source="x", seeds=[0])
    assert made.cells[0].rate == 0.5


def test_a_plan_survives_its_file():
    made = plan(images=(100,), matched="macs", held_out=True)
    assert plan_from_dict(made.as_dict()) == made


def test_a_comparison_goes_on_with_other_networks_and_numbers():
    there, here = plan(NAMES[:2], images=(100,)), plan(NAMES[1:], images=(100, 1000))
    assert first_difference(there, here) is None
    both = united(there, here)
    assert both.experiment == "comparison" and len(both.cells) == 7
    assert "matched" in (first_difference(there, replace(here, matched="macs")) or "")
    assert "experiment" in (first_difference(there, replace(here, experiment="path")) or "")
    assert "experiment" in (first_difference(there, replace(here, experiment="full")) or "")


def test_who_joins_brings_its_seeds_to_all(tmp_path):
    file, train = tmp_path / "a.study", Trainer(tmp_path / "log")
    first, second = (plan((name,), data=DATA, seeds=seeds) for name, seeds in
                     (("convnext-mini", [0]), ("resnet-small", [0, 1])))  # fmt: skip
    assert execute(first, file, NoData(), train=train, workers=1).planned == 1
    assert execute(second, file, NoData(), train=train, workers=1).planned == 4
    with Store.open(file, create=False) as store:
        assert {run.key for run in store.plan().runs()} == {r.key for r in store.records()}
        assert len(store.records()) == 4


def test_one_network_has_one_name_in_a_file():
    there, here = plan(("vit-mini",)), plan(("vit-mini",))
    cells = tuple(replace(cell, network="other", name=f"other {cell.name}") for cell in here.cells)
    said = first_difference(there, replace(here, cells=cells))
    assert said == "the name of one network is 'vit-mini' there and 'other' here"


def test_what_is_held_out_is_no_test_image():
    said = first_difference(plan(), plan(held_out=True))
    assert said == "--hold-out is 'no' there and 'yes' here"


def test_equal_networks_are_one():
    one = network("convnext-mini")
    wide = replace(one, name="wide", design=design("convnext-mini", widths=(48, 96, 192)))
    given = {"data": CIFAR, "data_source": "x", "seeds": [0]}
    assert len(plan_comparison([one, wide], **given).cells) == 2
    with pytest.raises(InputError, match="'convnext-mini' and 'again' are the same design"):
        plan_comparison([one, replace(one, name="again")], **given)
    with pytest.raises(InputError, match="'convnext-mini' and 'wide' are the same design"):
        plan_comparison([one, wide], matched="macs", target=2e6, **given)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"names": ()}, "no networks"),
        ({"names": ("vit-mini", "vit-mini")}, "'vit-mini' is given twice"),
        ({"images": (9,)}, "give 10 .* to 50000"),
        ({"images": (50_001,)}, "images has 50,001, which cannot be drawn"),
        ({"images": (100, 100)}, "images has 100 twice"),
        ({"images": (20,)}, "network 'resnet-small': .* 'batch_size' is 64"),
        ({"most_epochs": 3}, "'resnet-small': most_epochs is 3, fewer than the recipe's 6"),
        ({"seeds": []}, "no seeds"),
        ({"matched": "macs", "target": 10}, "cannot be rescaled"),
    ],
)
def test_refused(options, said):
    with pytest.raises(InputError, match=said):
        plan(**options)
