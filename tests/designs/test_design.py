from dataclasses import fields

import numpy as np
import pytest

from nextify.designs import PATHS, Design, Recipe, design, path, recipe
from nextify.designs.fields import describe, hints, read, read_fields
from nextify.errors import InputError


def test_the_paths_cover_the_fields_of_a_design_exactly():
    """One fact, one place: a field that no choice changes must be meant to stay."""
    everywhere = {"stem_stride", "ratio", "block", "response_norm"}
    for name in ("resnet50", "resnet200", "small"):
        changed = {field for choice in path(name).choices for field in choice.changes}
        assert changed | everywhere == {field.name for field in fields(Design)}, name


def test_field_names_of_designs_and_recipes_do_not_clash():
    """The command line takes both as FIELD=VALUE."""
    assert not set(hints(Design)) & set(hints(Recipe))


@pytest.mark.parametrize("name", PATHS)
def test_choices_make_the_end_in_any_order(name):
    """Choices set disjoint fields, or later ones win as on the path: `subset` sorts them."""
    p = path(name)
    everything = list(range(len(p.choices)))
    assert p.subset(reversed(everything)) == p.end == p.steps[-1].design
    assert p.subset([]) == p.start == p.steps[0].design


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"spatial": "deptwise"}, "'spatial' is 'deptwise'; it must be one of dense, depthwise"),
        ({"kernel_size": 4}, "'kernel_size' is 4; it must be odd"),
        ({"kernel_size": -3}, "'kernel_size' is -3; it must be greater than 0"),
        ({"kernel_size": 3.0}, "'kernel_size' is 3.0; it must be a whole number"),
        ({"depths": (3, 3)}, "'widths' is (64, 128, 256, 512), 4 stages"),
        ({"depths": ()}, "'depths' is (); it must be greater than 0"),
        ({"depths": (3, 0, 1, 1)}, "'depths' is (3, 0, 1, 1); it must be greater than 0"),
        ({"widths": (1.5, 2, 3, 4)}, "it must be numbers separated by commas"),
        ({"stem_stride": 3}, "'stem_stride' is 3; it must be one of 16, 4, 2, 1"),
        ({"stem_stride": True}, "'stem_stride' is True"),
        ({"layer_scale": float("nan")}, "'layer_scale' is nan"),
        ({"layer_scale": -1.0}, "must not be negative"),
        (
            {"block": "basic", "norms": "one"},
            "'norms' is 'one', a choice that a basic block does not",
        ),
        ({"kernal_size": 7}, "unknown design field 'kernal_size'; did you mean 'kernel_size'?"),
    ],
)
def test_bad_values_name_field_value_and_remedy(changes, words):
    with pytest.raises(InputError) as caught:
        design("resnet50", **changes)
    assert words in str(caught.value)


def test_numbers_of_numpy_are_numbers():
    made = design("resnet50", kernel_size=np.int64(5), widths=[*np.array([8, 8, 8, 8])])
    assert made == design("resnet50", kernel_size=5, widths=[8, 8, 8, 8])
    assert Design(kernel_size=np.int64(5), widths=made.widths) == made
    assert {type(each) for each in (made.kernel_size, *made.widths)} == {int}
    own = {"epochs": np.int64(30), "learning_rate": np.float32(0.5), "mixup": np.int8(1)}
    assert recipe("modern", **own) == recipe("modern", epochs=30, learning_rate=0.5, mixup=1)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"epochs": 0}, "'epochs' is 0; it must be greater than 0"),
        ({"epochs": -1}, "'epochs' is -1; it must be greater than 0"),
        ({"batch_size": 0}, "'batch_size' is 0; it must be greater than 0"),
        ({"stochastic_depth": 1.0}, "'stochastic_depth' is 1, which drops every branch"),
        ({"label_smoothing": 1.5}, "'label_smoothing' is 1.5; it must be from 0 to 1"),
        ({"warmup_epochs": 300.0}, "'warmup_epochs' is 300.0 of 300 epochs"),
        ({"randaugment": 11.0}, "'randaugment' is 11.0; at most 10"),
        ({"betas": (0.9,)}, "'betas' is (0.9,); give two numbers"),
        ({"optimizer": "adam"}, "it must be one of sgd, adamw"),
        ({"learning_rat": 1.0}, "did you mean 'learning_rate'?"),
    ],
)
def test_bad_recipes_name_field_value_and_remedy(changes, words):
    with pytest.raises(InputError) as caught:
        recipe("modern", **changes)
    assert words in str(caught.value)


def test_unknown_names_offer_the_nearest():
    for call, near in (
        (lambda: design("convnext-tinny"), "'convnext-tiny'"),
        (lambda: path("resnet500"), "'resnet50'"),
        (lambda: recipe("moderne"), "'modern'"),
    ):
        with pytest.raises(InputError, match=f"did you mean {near}"):
            call()


def test_names_may_be_written_without_hyphens():
    assert design("resnet50") == design("ResNet-50") == design("resnet_50") == Design()


def test_fields_read_from_text():
    got = read_fields(
        ["widths=16,32", "layer_scale=none", "epochs=3", "flip=false"], Design, Recipe
    )
    assert got == [{"widths": (16, 32), "layer_scale": None}, {"epochs": 3, "flip": False}]


@pytest.mark.parametrize("text", ["widths=a,b", "kernel_size=7.5", "flip=maybe", "norm=group"])
def test_unreadable_field_values_say_what_is_accepted(text):
    name, value = text.split("=")
    hint = {**hints(Design), **hints(Recipe)}[name]
    with pytest.raises(InputError) as caught:
        read_fields([text], Design, Recipe)
    assert str(caught.value) == f"field {name!r} is {value!r}; it must be {describe(hint)}"


@pytest.mark.parametrize("kind", [Design, Recipe])
def test_every_field_survives_text(kind):
    """What a field prints as on a command line is read back as the same value."""
    for name, hint in hints(kind).items():
        value = getattr(kind(), name)
        text = ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
        assert read(text, hint) == value


def test_a_path_refuses_a_field_that_it_changes():
    with pytest.raises(InputError, match="'widths' is what the choice 'increase width'"):
        path("resnet50").with_design_fields({"widths": (1, 2, 3, 4)})


def test_variants_stand_in_the_order_of_their_values():
    names = [step.name for step in path("resnet50").all_steps() if step.name.startswith("kernel")]
    assert names == ["kernel size 5", "kernel size 7", "kernel size 9", "kernel size 11"]


def test_a_shorter_run_scales_warmup_and_steps():
    assert recipe("modern", epochs=30).warmup_epochs == 2.0
    assert recipe("modern", epochs=30, warmup_epochs=5.0).warmup_epochs == 5.0
    assert recipe("classic", epochs=9).step_epochs == 3.0
    assert recipe("modern", batch_size=512).peak_learning_rate == pytest.approx(5e-4)
