"""What a message advises works: each command here is refused, and taken as its message says."""

import re
import shutil
from collections.abc import Callable

import pytest

from .conftest import changed, make_images

TRAIN = ("train", "convnext-mini", "stem_stride=1", "batch_size=8", "epochs=1", "--data", "pets",
         "--image-size", "8", "--threads", "1")  # fmt: skip
STUDY = ("study", "small", "--data", "pets", "--image-size", "28", "--plan", "--no-pilot")
COMPARE = ("compare", "resnet-small", "vit-mini", "--data", "pets", "--image-size", "16", "--plan",
           "--no-pilot")  # fmt: skip
CHOOSE = ("choose", "--params", "100", "--data", "pets", "--image-size", "28", "--plan",
          "--no-pilot")  # fmt: skip


def put(*words: str) -> Callable[..., tuple[str, ...]]:
    """The command with words at its end, in which {0} and so on are what the message says."""
    return lambda command, *found: changed(command, [word.format(*found) for word in words])


def replaced(old: str, new: str) -> Callable[..., tuple[str, ...]]:
    return lambda command, *found: tuple(new.format(*found) if w == old else w for w in command)


def without(*words: str) -> Callable[..., tuple[str, ...]]:
    return lambda command, *found: tuple(word for word in command if word not in words)


@pytest.mark.parametrize(
    ("command", "said", "follow"),
    [
        (changed(TRAIN, ["batch_size=4096"]), r"set (batch_size=\d+) or less", put("{0}")),
        (changed(STUDY, ["batch_size=4096"]), r"set (batch_size=\d+) or less", put("{0}")),
        ((*STUDY, "--recipe", "modern"), r"set (batch_size=\d+) or less", put("{0}")),
        (changed(TRAIN, ["stem_stride=4"]), r"; (stem_stride=\d) would fit", put("{0}")),
        (replaced("convnext-mini", "convnext-minni")(TRAIN), r"did you mean '([\w-]+)'",
         replaced("convnext-minni", "{0}")),
        ((*TRAIN, "--recipe", "modrn-small"), r"did you mean '([\w-]+)'",
         replaced("modrn-small", "{0}")),
        ((*TRAIN, "--recipe", "finetune-small"), r"trains from scratch, as modern or ([\w-]+)",
         replaced("finetune-small", "{0}")),
        ((*TRAIN, "--new-head"), "or leave it out", without("--new-head")),
        (replaced("pets", "./pet")(TRAIN), r"did you mean '(\S*pets)'", replaced("./pet", "{0}")),
        (replaced("pets", "only")(TRAIN), r"or give '(only/train)'", replaced("only", "{0}")),
        (replaced("pets", "torn")(TRAIN), r"use (--skip-unreadable)", put("{0}")),
        ((*STUDY, "--factors", "default"), r"add (--experiment) (resolution-5)",
         put("{0}", "{1}")),
        ((*COMPARE, "--target", "2M"), r"add (--matched) (macs)", put("{0}", "{1}")),
        ((*COMPARE, "--images", "1000"), r"\(one of each class\) to (\d+)",
         replaced("1000", "{0}")),
        (("compare", "epochs=5", *COMPARE[1:], "--most-epochs", "3"), r"give (\d+) or more",
         replaced("3", "{0}")),
        (replaced("16", "15")(COMPARE), r"or (patch_size=\d+)", put("{0}")),
        (CHOOSE, r"all can for ([\d,]+) params: give that", replaced("100", "{0}")),
    ],
)  # fmt: skip
def test_advice_works(nextify, pets, command, said, follow):
    make_images(pets.with_name("only"), {"train/cat": 20, "train/dog": 20})
    shutil.copytree("pets", "torn")
    (pets.with_name("torn") / "cat" / "0.png").write_bytes(b"no image")
    refused = nextify(*command)
    assert refused.code == 2 and refused.err.startswith("nextify: "), refused
    found = re.search(said, refused.err)
    assert found, refused.err
    followed = follow(command, *(text.replace(",", "") for text in found.groups()))
    assert followed != command
    assert nextify(*followed).code == 0, followed
