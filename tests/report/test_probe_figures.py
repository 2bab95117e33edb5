"""Figures of probes: what is drawn over what, and that what older files hold is drawn, too."""

import pytest
import torch

from nextify import build, design
from nextify.probes import PROBES, measure
from nextify.records.measurement import Curve, Measurement
from nextify.report.probes.content import About, ProbedNetwork, ProbesContent
from nextify.report.probes.figures import probe_figures


@pytest.mark.parametrize("name", ["resnet-small", "vit-mini"])
def test_every_curve_says_what_it_is_drawn_over(name: str) -> None:
    network = build(design(name), classes=4, image_size=32)
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(24, 3, 32, 32, generator=generator)
    found = measure(network, images, ["default"], torch.arange(24) % 4)
    for probe, measured in found.items():
        known = PROBES[probe].curves
        places = {curve.at for curve in known.values()}
        for curve, numbers in measured.curves.items():
            own = known.get(curve.rstrip("0123456789"))
            assert own or curve in places or len(numbers) == 1, (probe, curve)
            assert not own or not own.at or own.at in measured.curves, (probe, curve)
        assert 0 < measured.images <= 24 or measured.reason, probe


def content(about: About, *curves: dict[str, object]) -> ProbesContent:
    networks = tuple(
        ProbedNetwork(name=f"net{at}", design="", params=1, image_size=32, found={
            about.name: Measurement(probe=about.name, version=1, value=0.0, curves=own, images=7)
        })
        for at, own in enumerate(curves)
    )  # fmt: skip
    return ProbesContent(probes=(about,), networks=networks, data="", source="", images=9, of=9,
                         seed=0)  # fmt: skip


HOW = {
    "rate": Curve(title="Rate", at="place", over="place, px"),
    "stage": Curve(title="By stage", at="place", over="place, px"),
    "map": Curve(title="Map", rows="row"),
    "dots": Curve(title="Dots", is_log=True),
}
CURVES = {
    "place": [1, 2, 4], "rate": [0, 0, 0], "stage1": [1, 2, 3], "stage2": [2, 3, 5],
    "map": [[1.0, float("nan")], [0.0, 2.0]], "dots": [[1.0, 2.0], [10.0]], "one": [3.0],
    "ragged": [[1.0], [1.0, 2.0]],
}  # fmt: skip


@pytest.mark.parametrize("how", [HOW, {}])
def test_curves_of_every_shape_are_drawn_also_where_nothing_is_said_of_them(how) -> None:
    about = About(name="p", title="P", curves=how)
    (drawn,) = probe_figures(content(about, CURVES, {"place": [1, 2], "rate": [1, 0]}))
    (again,) = probe_figures(content(about, CURVES, {"place": [1, 2], "rate": [1, 0]}))
    assert drawn.svg == again.svg and drawn.name == "probe-p"
    (alone,) = probe_figures(content(about, {}))
    assert len(alone.svg) < len(drawn.svg)


def test_places_are_no_curve() -> None:
    """A curve that holds the places of another is below it, and has no panel of its own."""
    about = About(name="p", title="P", curves=HOW)
    one = {"place": [1, 2, 4], "rate": [3, 4, 5]}
    (with_places,) = probe_figures(content(about, one))
    (without,) = probe_figures(content(About(name="p", title="P"), one))
    assert with_places.svg.count('id="axes_') == 2 and without.svg.count('id="axes_') == 3
