"""The main figure where there is one number of training images: a row for each network."""

from itertools import chain

from matplotlib.axes import Axes

from nextify.report import style as look
from nextify.report.canvas import SMALL, Sheet, key_lines
from nextify.report.comparison.content import ComparisonContent, NetworkRow
from nextify.report.comparison.line_figure import footnote, marks_of
from nextify.report.row_marks import fit_values, mark_accuracy, mark_difference
from nextify.report.style import GREY, INK, Drawing
from nextify.words import large, percent, plural, signed, whole

_WIDTH = 7.8
_TOP = 0.5
_ROW = 0.265
_AXIS = 0.4  # from the last row to the key
_NAMES, _LETTERS = 0.1, 28
_ACCURACY = (2.06, 1.85)  # left edge and width of a panel; numbers are flush right at `..._AT`
_MEAN_AT, _N_AT = 4.42, 4.7
_DIFFERENCE = (4.88, 1.12)
_DIFFERENCE_AT = 6.44
_MACS_AT, _PARAMS_AT = 7.1, 7.72


def row_figure(content: ComparisonContent) -> Drawing:
    """Accuracy and the difference to the baseline, a row a network, with costs in figures."""
    rows = len(content.rows)
    marks = marks_of(content, "_", "|")
    key = _TOP + _ROW * rows + _AXIS
    with look.style():
        sheet = Sheet(_WIDTH, key + 0.35 + 0.18 * key_lines(_WIDTH - 0.3, marks))
        sheet.bands(_TOP, _ROW, rows)
        _columns(sheet, content)
        _accuracies(_panel(sheet, _ACCURACY, rows), content)
        if content.moved:
            _differences(_panel(sheet, _DIFFERENCE, rows), content)
        _headings(sheet, content)
        last = sheet.key(0.2, key, marks)
        sheet.text(_NAMES, last + 0.2, footnote(content), size=SMALL, color=GREY)
        return look.drawn(sheet.figure, "accuracy", _description(content))


def _panel(sheet: Sheet, place: tuple[float, float], rows: int) -> Axes:
    left, wide = place
    return sheet.panel((left, _TOP, wide, _ROW * rows), rows)


def _columns(sheet: Sheet, content: ComparisonContent) -> None:
    names = _names(content)
    for at, row in enumerate(content.rows):
        y = _TOP + (at + 0.5) * _ROW
        sheet.text(_NAMES, y, names[at])
        sheet.text(_MEAN_AT, y, percent(row.accuracy), "right", weight="bold")
        sheet.text(_N_AT, y, str(row.n), "right", color=GREY)
        if content.moved:
            sheet.text(_DIFFERENCE_AT, y, _moved(row, content), "right")
        sheet.text(_MACS_AT, y, large(row.macs), "right")
        sheet.text(_PARAMS_AT, y, large(row.params), "right")


def _names(content: ComparisonContent) -> list[str]:
    """The networks' names; one that is too long is shortened alike at each of its rates."""
    ends = [f", rate {content.cell_of(row.network).rate:g}" for row in content.rows]
    ends = [
        end if row.network.endswith(end) else ""
        for row, end in zip(content.rows, ends, strict=True)
    ]
    room = _LETTERS - max(map(len, ends))
    return [
        look.squeezed(row.network.removesuffix(end), room) + end
        for row, end in zip(content.rows, ends, strict=True)
    ]


def _moved(row: NetworkRow, content: ComparisonContent) -> str:
    return "baseline" if row.network == content.baseline else signed(row.difference)


def _accuracies(axes: Axes, content: ComparisonContent) -> None:
    fit_values(axes, [v for row in content.rows for v in (*row.accuracies, *(row.interval or ()))])
    for at, row in enumerate(content.rows):
        mark_accuracy(axes, at, row)


def _differences(axes: Axes, content: ComparisonContent) -> None:
    spans = chain(*(row.difference_interval or () for row in content.moved))
    fit_values(axes, [0.0, *(row.difference for row in content.moved), *spans])
    axes.axvline(0, color=INK, lw=0.8, zorder=1)
    for at, row in enumerate(content.rows):
        mark_difference(axes, at, row)


def _headings(sheet: Sheet, content: ComparisonContent) -> None:
    sheet.head(_NAMES, 0.14, "Network", f"{whole(content.found.images[0])} training images")
    if content.plan.held_out:
        sheet.head(_ACCURACY[0], 0.14, "Accuracy, %", "on held-out images")
    else:
        data = look.shortened(str(content.plan.data.get("name", "")), 26)
        sheet.head(_ACCURACY[0], 0.14, "Test accuracy, %", data)
    sheet.head(_MEAN_AT, 0.14, "Mean, %", "", "right")
    sheet.head(_N_AT, 0.14, "n", "runs", "right")
    if content.moved:
        against = f"to {look.shortened(content.baseline, 24)}"
        sheet.head(_DIFFERENCE[0], 0.14, "Difference, points", against)
    sheet.head(_MACS_AT, 0.14, "MACs", "an image", "right")
    sheet.head(_PARAMS_AT, 0.14, "Param.", "in all", "right")
    sheet.line(_TOP)


def _description(content: ComparisonContent) -> str:
    told = [f"{row.network} {percent(row.accuracy)} %" for row in content.rows]
    return (
        f"{content.score.capitalize()} of {plural(len(told), 'network')}, a row each, with the "
        f"difference to {content.baseline}: {'; '.join(told)}. The table holds the numbers."
    )
