"""`--permute-pixels` and `--cross pixels`: from the command line to the network's answers."""

import json

import pytest
from PIL import Image

TINY = ("--image-size", "16", "epochs=1", "batch_size=8")


@pytest.fixture
def stripes(own_folder):
    """Lines across and down: what a permutation of pixels hides."""
    for part, count in (("train", 8), ("test", 4)):
        for label in ("across", "down"):
            place = own_folder / "stripes" / part / label
            place.mkdir(parents=True)
            for at in range(count):
                picture = Image.new("L", (16, 16))
                for line in range(16):
                    for along in range(16):
                        x, y = (along, line) if label == "across" else (line, along)
                        picture.putpixel((x, y), 255 * ((line + at) % 2) - at)
                picture.save(place / f"{at}.png")
    return own_folder


def test_a_network_of_permuted_pixels_is_scored_on_permuted_pixels(stripes, nextify):
    train = ("train", "convnext-mini", *TINY, "--data", "stripes", "--output", "net")
    answer = nextify(*train, "--permute-pixels", "3")
    assert answer.code == 0 and "pixels permuted, one order for all images (seed 3)" in answer.err
    record = json.loads((stripes / "net" / "record.json").read_text())
    assert record["run"]["data"]["permuted_pixels"] == 3
    answer = nextify("evaluate", "net", "--data", "stripes", "--json")
    assert "pixels permuted" in answer.err and "may be among" not in answer.err
    found = json.loads(answer.out)
    assert found["nll"] == pytest.approx(record["result"]["nll"], abs=1e-6)
    other = json.loads(
        nextify("evaluate", "net", "--data", "stripes", "--permute-pixels", "4", "--json").out
    )
    assert other["nll"] != pytest.approx(found["nll"], abs=1e-6)
    assert nextify("predict", "net", "stripes/test/down/0.png").code == 0
    streamed = nextify("evaluate", "net", "--data", "stripes", "--json", "--test-image-size", "24")
    assert streamed.code == 2 and "leave out --permute-pixels" in streamed.err


def test_pixels_are_crossed_with_choices(stripes, nextify):
    study = ("study", "small", "--data", "stripes", *TINY, "--experiment", "full", "--factors",
             "ReLU to GELU", "--no-pilot", "--workers", "1", "--end-seeds", "0")  # fmt: skip
    both = nextify(*study, "--cross", "pixels", "--permute-pixels", "0")
    assert both.code == 2 and "give one of them" in both.err
    plan = nextify(*study, "--cross", "pixels", "--plan")
    assert plan.code == 0 and "crossed with them: pixels, natural and permuted" in plan.out
    answer = nextify(*study, "--cross", "pixels")
    assert answer.code == 0 and "4 of 4 runs recorded" in answer.out, answer.err
