"""The recipes, field for field, against the papers' tables (tests/facts/recipes.csv)."""

import csv
from pathlib import Path

import pytest

from nextify.designs import design, recipe

TABLE = (Path(__file__).parents[1] / "facts/recipes.csv").read_text()
ROWS = {row["setting"]: row for row in csv.DictReader(TABLE.splitlines())}
CLASSIC = {setting: row["original ResNet (2015)"] for setting, row in ROWS.items()}
MODERN = {setting: row["ImageNet-1K T/S/B/L (modern)"] for setting, row in ROWS.items()}


def number(text: str) -> float:
    return 0.0 if text in ("", "none") else float(text.split("/")[0])


def test_numbers_of_both_recipes():
    for name, facts in (("classic", CLASSIC), ("modern", MODERN)):
        r = recipe(name)
        assert r.weight_decay == number(facts["weight decay"])
        assert r.batch_size == number(facts["batch size"]) == r.reference_batch
        assert r.epochs == number(facts["epochs"])
        assert r.warmup_epochs == number(facts["warmup epochs (linear)"])
        assert r.mixup == number(facts["mixup"])
        assert r.cutmix == number(facts["cutmix"])
        assert r.random_erasing == number(facts["random erasing"])
        assert r.label_smoothing == number(facts["label smoothing"])
        assert r.stochastic_depth == number(facts["stochastic depth"])
        assert r.gradient_clip == number(facts["gradient clip"])
        assert r.ema_decay == number(facts["EMA decay"])


def test_words_of_both_recipes():
    classic, modern = recipe("classic"), recipe("modern")
    assert CLASSIC["optimizer"] == "SGD momentum 0.9"
    assert (classic.optimizer, classic.momentum) == ("sgd", 0.9)
    assert CLASSIC["base learning rate"] == "0.1 at batch 256"
    assert (classic.learning_rate, classic.reference_batch) == (0.1, 256)
    assert CLASSIC["schedule"] == "divide by 10 every 30 epochs"
    assert (classic.schedule, classic.step_epochs) == ("step", 30)
    assert CLASSIC["weight init"] == "He normal" and classic.weight_init == "he_normal"
    assert MODERN["optimizer"] == "AdamW" and modern.optimizer == "adamw"
    assert modern.learning_rate == float(MODERN["base learning rate"])
    assert ", ".join(map(str, modern.betas)) == MODERN["betas"]
    assert MODERN["schedule"] == modern.schedule == "cosine"
    assert MODERN["weight init"].startswith("truncated normal, sd 0.02")
    assert modern.weight_init == "trunc_normal"
    magnitude, probability = MODERN["randaugment (magnitude; probability)"].split(", ")
    assert (modern.randaugment, modern.randaugment_probability) == (
        float(magnitude),
        float(probability),
    )
    assert classic.randaugment == 0.0
    assert design("convnext-tiny").layer_scale == float(MODERN["layer scale"])


FINETUNING = {
    "finetune": "fine-tune 22K->1K T/S/B/L/XL",
    "finetune-1k": "fine-tune 1K->1K at 384 B/L",
}


@pytest.mark.parametrize(("name", "column"), FINETUNING.items())
def test_fine_tuning_field_for_field(name, column):
    facts = {setting: row[column] for setting, row in ROWS.items()}
    r = recipe(name)
    assert facts.pop("weight init") == "pre-trained" and r.weight_init == "pretrained"
    assert facts.pop("optimizer") == "AdamW" and r.optimizer == "adamw"
    assert facts.pop("base learning rate") == "5e-5" and r.learning_rate == 5e-5
    assert r.weight_decay == number(facts.pop("weight decay")) == 1e-8
    assert facts.pop("betas") == ", ".join(map(str, r.betas))
    assert r.batch_size == number(facts.pop("batch size")) == r.reference_batch
    assert r.epochs == number(facts.pop("epochs"))
    assert facts.pop("schedule") == r.schedule == "cosine"
    assert r.layer_decay == number(facts.pop("layer-wise lr decay"))
    assert r.warmup_epochs == number(facts.pop("warmup epochs (linear)")) == 0
    magnitude, probability = facts.pop("randaugment (magnitude; probability)").split(", ")
    assert (r.randaugment, r.randaugment_probability) == (float(magnitude), float(probability))
    assert (r.mixup, r.cutmix) == (number(facts.pop("mixup")), number(facts.pop("cutmix")))
    assert r.random_erasing == number(facts.pop("random erasing"))
    assert r.label_smoothing == number(facts.pop("label smoothing"))
    assert r.stochastic_depth == number(facts.pop("stochastic depth"))
    assert facts.pop("layer scale") == "pre-trained"  # a part of the weights
    assert r.head_init_scale == number(facts.pop("head init scale")) == 0.001
    assert r.gradient_clip == number(facts.pop("gradient clip"))
    # "none (T to L) / 0.9999 (XL)", or "none"
    assert facts.pop("EMA decay").split()[0] == "none" and r.ema_decay == 0
    assert not facts, "rows that nothing is compared with"
    assert r.trainable == "all"
