"""How figures look, and how they become files whose bytes depend on nothing but what they show."""

import logging
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape
from io import BytesIO
from itertools import accumulate
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import get_font_names

from nextify.words import room, room_of_letter

# Okabe and Ito's colours, told apart by the colour-blind; shapes say the same in black and white.
BLUE = "#0072B2"
ORANGE = "#D55E00"
GREEN = "#007A5E"  # this and purple darkened for print
PURPLE = "#A0528A"
AMBER = "#E69F00"
SKY = "#56B4E9"
BROWN = "#8C7300"  # their yellow, which is lost on white, darkened
INK = "#1b1f24"
GREY = "#6b7280"
PALE = "#c9ced6"
BAR = "#dde2ea"
BAND = "#f5f6f8"

_TICKS = {
    "color": GREY, "labelcolor": INK, "labelsize": 7.0, "major.size": 2.5, "major.width": 0.6
}  # fmt: skip
_STYLE: Any = {  # a dictionary; newer matplotlibs type its keys one by one
    "font.size": 8.0,
    "text.color": INK,
    "text.parse_math": False,  # a name may hold a dollar sign
    "axes.edgecolor": GREY,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.6,
    "axes.titlesize": 8.0,
    "axes.unicode_minus": True,
    **{f"{axis}tick.{name}": value for axis in "xy" for name, value in _TICKS.items()},
    "svg.fonttype": "path",  # the reader need not have the font
    "svg.hashsalt": "nextify",
    "pdf.fonttype": 42,
}
_DPI = 220
_FONT = "DejaVu Sans"  # comes with matplotlib: the same everywhere
# What systems and distributions have for Chinese, Japanese and Korean, which it lacks.
_FURTHER = ("Noto Sans CJK JP", "Noto Sans CJK SC", "Noto Sans JP", "Noto Sans SC", "Noto Sans KR",
            "Source Han Sans", "WenQuanYi Micro Hei", "WenQuanYi Zen Hei", "Droid Sans Fallback",
            "Hiragino Sans", "PingFang SC", "Apple SD Gothic Neo", "Arial Unicode MS",
            "Microsoft YaHei", "Yu Gothic", "Malgun Gothic", "NanumGothic")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Drawing:
    """A figure as files. `description` says in words what it shows."""

    name: str
    description: str
    svg: str
    png: bytes
    pdf: bytes

    @property
    def inline(self) -> str:
        """The SVG as an element of an HTML page: ids of its own, and a description."""
        svg = self.svg[self.svg.index("<svg") :]
        svg = re.sub(r' xmlns(:xlink)?="[^"]*"', "", svg)
        svg = re.sub(r' (width|height)="[\d.]+pt"', "", svg, count=2)
        svg = re.sub(r'\bid="', f'id="{self.name}-', svg)
        svg = re.sub(r'href="#', f'href="#{self.name}-', svg).replace("url(#", f"url(#{self.name}-")
        return svg.replace("<svg", f'<svg role="img" aria-label="{escape(self.description)}"', 1)


@contextmanager
def style() -> Iterator[None]:
    """Draw in nextify's style."""
    log = logging.getLogger("matplotlib.font_manager")
    usual = log.level
    log.setLevel(logging.ERROR)  # it warns of a font without bold letters
    with mpl.rc_context({**_STYLE, "font.family": _fonts()}), warnings.catch_warnings():
        # A name in a script that no font has: boxes in the figure, whole in the table.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        try:
            yield
        finally:
            log.setLevel(usual)


def _fonts() -> list[str]:
    """The first that has a letter draws it."""
    installed = set(get_font_names())
    return [_FONT, *[name for name in _FURTHER if name in installed][:1]]


def drawn(figure: Figure, name: str, description: str) -> Drawing:
    """Render a figure, without dates or versions in the files; call it within `style()`."""
    no_names = {"Date": None, "Creator": None, "Format": None, "Type": None}
    svg = _saved(figure, "svg", metadata=no_names).decode()
    return Drawing(
        name=name,
        description=description,
        svg=re.sub(r"\s*<!(--.*?--|DOCTYPE[^>]*)>", "", svg, flags=re.DOTALL),
        png=_saved(figure, "png", dpi=_DPI, metadata={"Software": None}),
        pdf=_saved(figure, "pdf", metadata=dict.fromkeys(("CreationDate", "Creator", "Producer"))),
    )


def _saved(figure: Figure, kind: str, **options: Any) -> bytes:
    file = BytesIO()
    figure.savefig(file, format=kind, **options)
    return file.getvalue()


# What no file of text may hold, no font has, or turns the direction of what follows.
_UNSEEN = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)


def legible(text: str) -> str:
    r"""A text with escapes for what cannot be shown, as bytes of a file's name that are no letters.

    The escapes are those of JSON, so that a file of JSON keeps the name.

    >>> legible("gr\udcfcn")
    'gr\\udcfcn'
    """
    return _UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def plain(axes: Axes, grid: str = "x") -> None:
    """Only what is needed: no box, a pale grid behind the data."""
    for side in ("top", "right", "left" if grid == "x" else "top"):
        axes.spines[side].set_visible(False)
    axes.grid(True, axis="both" if grid == "both" else grid, color=PALE, linewidth=0.5, alpha=0.7)  # type: ignore[arg-type]
    axes.set_axisbelow(True)


def _first(text: str, most: int) -> str:
    """The beginning of a text, as long as it has room."""
    return text[: sum(taken <= most for taken in accumulate(map(room_of_letter, text)))]


def shortened(name: str, most: int) -> str:
    """A name that fits its place in a figure.

    >>> shortened("separate downsampling", 12)
    'separate do…'
    """
    return name if room(name) <= most else _first(name, most - 1) + "…"


def squeezed(name: str, most: int) -> str:
    """A name that fits its place, with its end: names that go on alike stay apart.

    >>> squeezed("ConvNeXt with GELU, rate 0.5", 20), squeezed("北京烤鸭和上海小笼包", 12)
    ('ConvNeXt w… rate 0.5', '北京烤…笼包')
    """
    if room(name) <= most:
        return name
    tail = most // 2 - 1
    return f"{_first(name, most - tail - 1)}…{_first(name[::-1], tail)[::-1]}"


def marker(recipe: str, last: str) -> str:
    """A circle; a square for a step with another recipe than the last step's.

    >>> marker("modern", "modern"), marker("classic", "modern")
    ('o', 's')
    """
    return "o" if recipe == last else "s"
