"""What an export has come to, in words."""

from nextify.report.exported import exported_in_words


def spread(median, low, high):
    return {"median": median, "low": low, "high": high, "count": 9}


def found(**changes):
    agreement = {"images": 70, "batches": (1, 2, 7), "sizes": ((28, 28), (21, 28)),
                 "difference": 3e-7, "ties": 0}  # fmt: skip
    ratio = changes.pop("ratio", spread(2.0, 1.9, 2.2))
    speed = {"batch_size": 1, "seconds": spread(0.001, 0.001, 0.002),
             "torch": spread(0.002, 0.002, 0.003), "ratio": ratio}  # fmt: skip
    return {"files": ["a.bin", "a.xml"], "agreement": agreement, "int8": None,
            "speed": [speed], "threads": 1, **changes}  # fmt: skip


def test_what_was_checked_and_how_fast_it_is():
    lines = exported_in_words(found()).splitlines()
    assert lines[0] == (
        "checked on 70 images, in batches of 1, 2 and 7, of 28 x 28, 21 x 28 pixels: logits differ "
        "by 3e-07 at most, relative to the largest of an image; the same best classes (no ties)"
    )
    assert lines[1] == (
        "batch 1, 1 thread: 1 ms (1 ms–2 ms), torch 2 ms (2 ms–3 ms); 2.00 times as fast "
        "(1.90–2.20)"
    )
    assert lines[2] == "written: a.bin and a.xml"


def test_no_gain_is_said():
    assert (
        exported_in_words(found(ratio=spread(1.1, 0.9, 1.2)))
        .splitlines()[1]
        .endswith("1.10 times as fast (0.90–1.20): no gain here")
    )


def test_what_8_bits_cost():
    rounded = {"before": 0.9, "after": 0.895, "loss": {"low": 0.001, "high": 0.009},
               "images": 1000, "reduced": False}  # fmt: skip
    assert exported_in_words(found(int8=rounded)).splitlines()[1] == (
        "8 bits: accuracy 90.00% before, 89.50% after on 1,000 test images: 0.50 points lost "
        "(0.10 to 0.90, 95 %)"
    )
