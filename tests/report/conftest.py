"""What stands in figures, whose letters are outlines."""

import pytest

from nextify.report.canvas import Sheet


@pytest.fixture
def small_print(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The small grey lines of all figures from now on."""
    lines: list[str] = []
    monkeypatch.setattr(Sheet, "note", lambda self, x, y, text, align="left": lines.append(text))
    return lines
