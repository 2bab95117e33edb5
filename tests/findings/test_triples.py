"""Three-factor interactions: what the cells show of them, and what they hide in."""

import numpy as np
import pytest

from nextify.experiments.fractions import SCREEN, fraction, regular
from nextify.findings import attribute
from nextify.report.factors import caveats

from .factorial import all_levels, default_levels, linear, names, plan, records

TRUTH = linear(0.02, -0.06, 0.05, 0.04, pair=0.0)


def found(levels, beta, three, **how):
    def truth(row, rate):
        return TRUTH(row, rate) + beta * np.prod(row[list(three)])

    study = plan(levels, **how)
    return attribute(study, records(study, truth))


def test_the_largest_is_named_with_what_it_cannot_be_told_from():
    answer = found(default_levels(), 0.02, (1, 2, 4), more=4)
    first, *others = answer.triples
    terms = [frozenset(first.factors), *(frozenset(three) for three, _ in first.aliased)]
    assert frozenset(("f1", "f2", "f4")) in terms
    assert first.estimate.value == pytest.approx(0.04, abs=0.008)
    assert first.found and not any(each.found for each in others[2:])
    assert len(answer.triples) == 27


def test_every_alias_has_the_same_column_in_the_cells():
    levels = fraction(8, 5)
    answer = found(levels, 0.02, (0, 2, 7))
    place = {f"f{j}": j for j in range(8)}
    for each in answer.triples:
        column = np.prod(levels[:, [place[name] for name in each.factors]], axis=1)
        for three, sign in each.aliased:
            other = np.prod(levels[:, [place[name] for name in three]], axis=1)
            assert (column == sign * other).all()


def test_heredity_names_the_plausible_term_first():
    """In 2^(6-1) with F = ABCDE, ABC is DEF; only A, B and C do anything on their own."""
    levels = regular(6, ["ABCDE"])
    study = plan(levels)

    def truth(row, rate):
        return 0.5 + 0.05 * row[0] - 0.05 * row[1] + 0.05 * row[2] + 0.03 * np.prod(row[3:])

    first = attribute(study, records(study, truth)).triples[0]
    assert first.factors == ("f0", "f1", "f2")
    assert first.aliased == ((("f3", "f4", "f5"), 1),)


def test_all_subsets_tell_every_one():
    answer = found(all_levels(4), 0.02, (0, 1, 2))
    assert len(answer.triples) == 4 and all(not each.aliased for each in answer.triples)
    assert answer.triples[0].factors == ("f0", "f1", "f2")
    assert not any(each.with_triples for each in answer.interactions)


def test_what_hides_three_factor_interactions():
    """19 of the 28 pairs of the default plan, and all contributions of a screen."""
    default, screen = (
        found(each, 0.0, (0, 1, 2)) for each in (default_levels(), fraction(8, SCREEN))
    )
    assert sum(each.with_triples for each in default.interactions) == 19
    assert default.limits.with_triples == ()
    assert screen.limits.with_triples == tuple(names(8)) and screen.triples == ()
    text = " ".join(caveats.notes(default))
    assert "19 of 28 two-factor interactions cannot be told from three-factor" in text
    assert "8 of 8 contributions cannot be told from three-factor" in " ".join(
        caveats.notes(screen)
    )
