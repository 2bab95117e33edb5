"""`ComparisonContent`: everything that the report of a comparison says, worked out once.

Accuracies here are in per cent and differences in percentage points: what the reader sees.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from nextify.findings import (
    CellMean,
    Comparison,
    Difference,
    Standings,
    grid,
    measure_comparison,
)
from nextify.findings.comparison import BASELINE, places
from nextify.records import Cell, Plan, Record
from nextify.report.content import (
    CellNumbers,
    StudyContent,
    both,
    cell_numbers,
    ends,
    of_difference,
    outcomes,
    planned_runs,
    sizes_of,
)
from nextify.words import hundred, whole


@dataclass(frozen=True, kw_only=True, slots=True)
class NetworkRow(CellNumbers):
    """A network on a number of training images; its difference is to the baseline there.

    Attributes:
        at: index of the network. images: it is trained on.
        learning_rate: of the recipe, at its reference batch. updates: of a whole training.
    """

    at: int
    network: str
    images: int
    recipe: str
    learning_rate: float
    epochs: int
    updates: int


@dataclass(frozen=True, kw_only=True, slots=True)
class GainRow:
    """What a network gains from the smallest to the largest number of images, in points.

    Attributes:
        n: seeds with a score on both numbers. gain_low, gain_high: 95 % for new seeds; `_wide_`:
            for new seeds and new test images.
        difference: to the baseline's gain, with the same intervals; `_own_`: from the seeds of
            these two networks alone. p: two-sided; p_holm: adjusted for all gains.
        verdict: "up", "down", "not resolved", "no interval", or "" for no difference.
    """

    network: str
    n: int
    gain: float | None
    gain_low: float | None
    gain_high: float | None
    gain_wide_low: float | None
    gain_wide_high: float | None
    difference: float | None
    difference_low: float | None
    difference_high: float | None
    difference_wide_low: float | None
    difference_wide_high: float | None
    difference_own_low: float | None
    difference_own_high: float | None
    p: float | None
    p_holm: float | None
    verdict: str

    @property
    def interval(self) -> tuple[float, float] | None:
        """Of the gain, for new seeds."""
        return both(self.gain_low, self.gain_high)

    @property
    def rests_on_pooling(self) -> bool:
        """Whether the difference is resolved only with the spread of all networks together."""
        own = both(self.difference_own_low, self.difference_own_high)
        return self.verdict in ("up", "down") and (own is None or own[0] <= 0 <= own[1])


@dataclass(frozen=True, kw_only=True, slots=True)
class ComparisonContent(StudyContent):
    """A comparison, ready to be shown.

    Attributes:
        found: accuracy as a fraction, as `nextify.findings` gives it.
        cells: the plan's, by network and number of images. rows: their numbers, by number of
            images, then by network. gains: one a network; empty with one number of images.
    """

    found: Comparison
    cells: dict[tuple[str, int], Cell]
    rows: tuple[NetworkRow, ...]
    gains: tuple[GainRow, ...]

    @property
    def baseline(self) -> str:
        """The network that the others are compared with."""
        return self.found.networks[BASELINE]

    @property
    def several(self) -> bool:
        """Whether there is more than one number of images."""
        return len(self.found.images) > 1

    @property
    def draws(self) -> bool:
        """Whether any network is trained on a draw of the images."""
        return any(cell.images is not None for cell in self.plan.cells)

    @property
    def has_intervals(self) -> bool:
        """Whether any accuracy has an interval."""
        return any(row.interval for row in self.rows)

    @property
    def moved(self) -> tuple[NetworkRow, ...]:
        """The rows with a difference to the baseline."""
        return tuple(row for row in self.rows if row.difference is not None)

    @property
    def score(self) -> str:
        """What the accuracies are of."""
        return "accuracy on held-out images" if self.plan.held_out else "test accuracy"

    @property
    def sizes(self) -> str:
        """How many runs a network has on a number of images: "3" or "1 to 3"."""
        return sizes_of(self.rows)

    def row(self, network: str, images: int) -> NetworkRow | None:
        """A network on a number of images; None where the plan has it not."""
        return next(
            (row for row in self.rows if (row.network, row.images) == (network, images)), None
        )

    def rows_of(self, network: str) -> tuple[NetworkRow, ...]:
        """A network's rows, by number of images."""
        return tuple(row for row in self.rows if row.network == network)

    def rows_on(self, images: int) -> tuple[NetworkRow, ...]:
        """The rows of a number of images, by network."""
        return tuple(row for row in self.rows if row.images == images)

    def cell_of(self, network: str) -> Cell:
        """A network's cell on its largest number of images."""
        return self.cells[network, self.rows_of(network)[-1].images]

    def runs_of(self, row: NetworkRow) -> tuple[Record, ...]:
        """The recorded runs of a row."""
        at = self.plan.cells.index(self.cells[row.network, row.images])
        return tuple(run for run in self.runs[at] if run)

    def on(self, images: int) -> str:
        """A number of training images in a sentence.

        >>> content.on(1000)  # doctest: +SKIP
        'on 1,000 images'
        """
        every = "all " if images == self.plan.data.get("train") else ""
        return f"on {every}{whole(images)} images"


def comparison_content(plan: Plan, records: Iterable[Record]) -> ComparisonContent:
    """Work out what the report of a comparison says.

    Raises:
        InputError: no run of the plan is recorded, or the plan is no comparison.
    """
    kept = tuple(records)
    where = places(plan)
    runs = grid(plan, kept)
    counts = outcomes(plan, runs)
    found = measure_comparison(plan, kept)
    rows = (
        _row(plan, plan.cells[cell], runs[cell], standings, at)
        for standings in found.at
        for at, network in enumerate(found.networks)
        if (cell := where.get((network, standings.images))) is not None
    )
    gains = found.gains
    return ComparisonContent(
        plan=plan,
        runs=runs,
        counts=counts,
        found=found,
        cells={place: plan.cells[cell] for place, cell in where.items()},
        rows=tuple(rows),
        gains=tuple(map(_gain, gains.means, gains.differences)) if gains else (),
    )


def _row(
    plan: Plan, cell: Cell, runs: tuple[Record | None, ...], standings: Standings, at: int
) -> NetworkRow:
    recipe = cell.recipe
    return NetworkRow(
        at=at,
        network=cell.network,
        images=standings.images,
        recipe=cell.recipe_name,
        learning_rate=recipe.learning_rate,
        epochs=recipe.epochs,
        updates=recipe.epochs * (standings.images // recipe.batch_size),
        **cell_numbers(
            cell, planned_runs(plan, cell, runs), standings.means[at], standings.differences[at]
        ),
    )


def _gain(mean: CellMean, move: Difference | None) -> GainRow:
    return GainRow(
        network=mean.name,
        n=mean.n,
        gain=hundred(mean.mean),
        **ends("gain", mean.interval),
        **ends("gain_wide", mean.wide),
        **of_difference(move),
        verdict=move.verdict if move else "",
    )
