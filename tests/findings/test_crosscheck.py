"""fANOVA and shapiq on the same records; a clear word where they are not installed."""

import sys

import pytest

from nextify.errors import InputError
from nextify.findings import attribute
from nextify.findings.crosscheck import fanova_importances, shapiq_values
from nextify.findings.factor_runs import factor_runs

from .factorial import all_levels, default_levels, linear, plan, records

TRUTH = linear(0.05, -0.03, 0.0, pair=0.02)


@pytest.mark.parametrize("levels", [all_levels(3), default_levels(6)])
def test_shapiq_agrees(levels):
    study = plan(levels)
    found = records(study, TRUTH)
    mine = attribute(study, found).contributions
    theirs = shapiq_values(factor_runs(study, found))
    assert [each.estimate.value for each in mine] == pytest.approx(list(theirs.values()))


@pytest.mark.filterwarnings("ignore")
def test_fanova_ranks_factors_by_size():
    study = plan(default_levels(6))
    found = fanova_importances(factor_runs(study, records(study, TRUTH)))
    assert sum(found.values()) == pytest.approx(1)
    assert max(found, key=found.get) == "f0"


def test_equal_scores_are_nobodys_share():
    study = plan(all_levels(2))
    with pytest.raises(InputError, match="all runs have the same score"):
        fanova_importances(factor_runs(study, records(study, linear(), sd=0.0)))


def test_cells_that_do_not_determine_the_model():
    study = plan(all_levels(3)[:5])
    with pytest.raises(InputError, match="resolution 5"):
        shapiq_values(factor_runs(study, records(study, TRUTH)))


def test_not_installed(monkeypatch):
    monkeypatch.setitem(sys.modules, "shapiq", None)
    with pytest.raises(InputError, match="crosscheck"):
        shapiq_values(factor_runs(plan(all_levels(2)), []))
