"""The table of "Attention Is All You Need" beside our laws: equal but for what is said."""

import json
import math

import pytest
import sympy as sp
import torch
import torch.nn.functional as F

from nextify.cli.main import main
from nextify.scaling.laws.formulas import B, D, N, P, amounts, k, law
from nextify.scaling.laws.mixers import MIXERS, Attention, Convolution, mixer
from nextify.scaling.laws.paper import PAPER, far_path
from nextify.scaling.measuring.count import count_macs
from nextify.scaling.mixers import build

WITH_PROJECTIONS = ("attention", "shifted-window")


def without_numbers(expression: sp.Expr) -> sp.Expr:
    terms = sp.Add.make_args(sp.expand(expression))
    return sp.Add(*(term.as_coeff_Mul()[1] for term in terms))


@pytest.mark.parametrize("name", PAPER)
def test_the_papers_orders_are_ours_without_numbers_and_projections(name):
    found, paper = law(MIXERS[name]), PAPER[name]
    macs = found.macs.subs({B: 1, P: N})
    if name in WITH_PROJECTIONS:
        macs -= 4 * N * D**2
    assert sp.expand(without_numbers(macs) - paper.macs) == 0
    assert without_numbers(found.sequential) == paper.sequential
    contiguous = N / k if name in ("convolution", "separable") else paper.path
    assert found.path_leading == contiguous


def test_projections_are_more_than_the_rest_while_n_is_below_2_d():
    rest = law(MIXERS["attention-core"]).macs
    assert sp.solve(law(MIXERS["attention"]).macs - 2 * rest, N) == [2 * D]


def test_a_separable_convolution_as_wide_as_the_sequence():
    """Section 4: "Even with k = n, however, the complexity of a separable convolution is equal to
    the combination of a self-attention layer and a point-wise feed-forward layer"."""
    separable, core, point = (law(mixer(n)) for n in ("separable", "attention-core", "product"))
    assert sp.expand(separable.leading.subs(k, N) - core.leading - point.leading) == 0
    exact = separable.macs.subs(k, N) - (core.macs / 2 + point.macs)
    assert sp.expand(exact) == 0


def test_the_same_is_counted():
    tokens, width = 9, 6
    x = torch.zeros(1, tokens, width)
    wide = Convolution(kernel=tokens, depthwise=True)
    separable, core, point = (
        count_macs(build(one, tokens=tokens, width=width), x).macs
        for one in (wide, Attention(projected=False), mixer("product"))
    )
    assert separable == core // 2 + point == tokens**2 * width + tokens * width**2
    assert amounts(wide, tokens=tokens, width=width).path == 2  # it reaches N / 2 to a side
    whole = Convolution(kernel=2 * tokens - 1, depthwise=True)
    assert amounts(whole, tokens=tokens, width=width).path == 1


def layers_between_ends(tokens: int, kernel: int, *, causal: bool, dilated: bool = False) -> int:
    """Until the last token holds something of the first, by torch's convolution."""
    x = torch.zeros(1, 1, tokens, dtype=torch.float64)
    x[..., 0] = 1
    weight = torch.ones(1, 1, kernel, dtype=torch.float64)
    layers = 0
    while x[0, 0, -1] == 0:
        apart = kernel**layers if dilated else 1
        reach = (kernel - 1) * apart
        sides = (reach, 0) if causal else (reach // 2, reach // 2)
        x = F.conv1d(F.pad(x, sides), weight, dilation=apart)
        layers += 1
    return layers


def ceiling_of_log(base: int, value: int) -> int:
    return next(power for power in range(99) if base**power >= value)


@pytest.mark.parametrize("kernel", [3, 5, 7])
@pytest.mark.parametrize("tokens", [2, 3, 9, 14, 27, 28, 41, 50])
def test_where_the_paths_of_convolutions_come_from(tokens, kernel):
    """A centred kernel reaches half as far as a one-sided one; dilated ones reach k times as far
    with each layer."""
    ours = amounts(Convolution(kernel=kernel), tokens=tokens, width=2).path
    assert layers_between_ends(tokens, kernel, causal=False) == ours
    assert far_path("convolution").subs({N: tokens, k: kernel}) == ours
    one_sided = math.ceil((tokens - 1) / (kernel - 1))
    assert layers_between_ends(tokens, kernel, causal=True) == one_sided
    dilated = layers_between_ends(tokens, kernel, causal=True, dilated=True)
    assert dilated == ceiling_of_log(kernel, tokens)


def test_the_path_of_shifted_windows_is_the_papers_twice():
    smooth = far_path("shifted-window").replace(sp.ceiling, lambda inside: inside)
    assert sp.limit(smooth / PAPER["shifted-window"].path, N, sp.oo) == 2


def test_the_command_prints_the_comparison(capsys):
    assert main(["scale", "mixers", "--formulas", "--only", "convolution,mlp"]) == 0
    out = capsys.readouterr().out
    rows = [line.split("  ") for line in out.splitlines() if "log(N)" in line]
    cells = [[cell.strip() for cell in row if cell.strip()] for row in rows]
    order, path = "D^2 N k", "ceiling((2 N - 2)/(k - 1))"
    assert cells == [["convolution", order, order, "1", "1", "log(N)/log(k)", path]]
    assert "convolution (convolutional): log is for kernels dilated" in out
    assert main(["scale", "mixers", "--formulas", "--only", "mlp"]) == 0
    assert "Table 1" not in capsys.readouterr().out
    assert main(["scale", "mixers", "--formulas", "--only", "attention,mlp", "--json"]) == 0
    values = json.loads(capsys.readouterr().out)
    assert values["attention"]["paper"]["macs"] == "D*N**2" and values["mlp"]["paper"] is None
