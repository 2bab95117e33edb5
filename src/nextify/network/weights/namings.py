"""How others name the entries of the same networks: one table per naming and architecture.

A rule pairs a name of ours with a name of theirs; both are templates. Read forwards, it gives the
foreign name of each of our entries, so that a network says itself which names a file must hold;
read backwards, it recognises a file whose design is not known.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Literal

from torch import nn

NamingName = Literal["nextify", "official", "timm", "torchvision"]
Shape = tuple[int, ...]

# How their shape of an entry differs from ours: not at all; 1 x 1 convolutions as matrices;
# vectors of C numbers as (C, 1, 1) or as (1, 1, 1, C).
Form = Literal["same", "matrix", "column", "last"]

# Numbers in a template: its name, and how it follows from the index of the stage (times, plus).
_COUNTS = {"stage": (1, 0), "layer": (1, 1), "feature": (2, 1), "between": (2, 0)}


@dataclass(frozen=True, slots=True)
class Rule:
    """One kind of entry, under our name and under theirs.

    Fields in braces: `stage`, `block` (from 0), `part` (weight, bias, running_mean ...) and, on
    their side, the stage's index counted otherwise: `layer` from 1, `feature` and `between` as
    torchvision numbers the stages and what stands between them.
    """

    ours: str
    theirs: str
    form: Form = "same"


@dataclass(frozen=True, slots=True)
class Outline:
    """What a network must be made of to be the one that a naming stands for: for each part, the
    names of its modules in order, as a regular expression; the kinds of its norms and activations;
    how many stages, and the stride of the stem's convolution (None: any).
    """

    stem: str
    downsample: str
    branch: str
    shortcut: str
    after: str
    head: str
    norm: type[nn.Module]
    activation: type[nn.Module]
    stages: int | None = 4
    stem_stride: int | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """The names of one architecture in one naming. `outline` None: any network of ours."""

    naming: NamingName
    architecture: str
    rules: tuple[Rule, ...]
    outline: Outline | None

    def name(self, ours: str) -> tuple[str, Form] | None:
        """Their name for an entry of ours, with the form of its shape; None: there is none.

        >>> official = next(table for table in TABLES if table.naming == "official")
        >>> official.name("stages.2.blocks.5.branch.pointwise1.weight")
        ('stages.2.5.pwconv1.weight', 'matrix')
        """
        for pattern, rule in _readers(self, "ours"):
            found = pattern.fullmatch(ours)
            counts = _counts(found) if found else None
            if found and counts is not None:
                part = counts.get("part")
                # Only the weight is a matrix; a bias is a vector everywhere.
                form: Form = "same" if rule.form == "matrix" and part != "weight" else rule.form
                return rule.theirs.format(**counts), form
        return None

    def ours(self, theirs: str) -> str | None:
        """Our name for an entry of theirs; None where it is not of this table.

        >>> torchvision = next(table for table in TABLES if table.naming == "torchvision")
        >>> torchvision.ours("features.3.0.layer_scale")
        'stages.1.blocks.0.branch.scale.weight'
        """
        for pattern, rule in _readers(self, "theirs"):
            found = pattern.fullmatch(theirs)
            counts = _counts(found) if found else None
            if counts is not None:
                return rule.ours.format(**counts)
        return None

    def known(self, theirs: Iterable[str]) -> int:
        """How many names are of this table."""
        return sum(self.ours(name) is not None for name in theirs)


def shaped(ours: Shape, form: Form) -> Shape:
    """Their shape of an entry, from ours.

    >>> shaped((384, 96, 1, 1), "matrix"), shaped((96,), "column"), shaped((384,), "last")
    ((384, 96), (96, 1, 1), (1, 1, 1, 384))
    """
    match form:
        case "same":
            return ours
        case "matrix":
            return ours[:2]
        case "column":
            return (*ours, 1, 1)
        case "last":
            return (1, 1, 1, *ours)


@cache
def _readers(
    table: Table, side: Literal["ours", "theirs"]
) -> tuple[tuple[re.Pattern[str], Rule], ...]:
    return tuple((_reader(getattr(rule, side)), rule) for rule in table.rules)


def _reader(template: str) -> re.Pattern[str]:
    """The regular expression that reads what a template writes."""
    pattern = re.escape(template).replace(r"\{", "{").replace(r"\}", "}")
    fields = {name: rf"(?P<{name}>\d{{1,6}})" for name in (*_COUNTS, "block")}
    return re.compile(pattern.format(**fields, part=r"(?P<part>[a-z_]+)"), re.ASCII)


def _counts(found: re.Match[str]) -> dict[str, object] | None:
    """All fields of a template from those that were read; None where no stage has such a number."""
    fields: dict[str, object] = dict(found.groupdict())
    read = next((name for name in _COUNTS if name in fields), None)
    if read is None:
        return fields
    times, plus = _COUNTS[read]
    stage, rest = divmod(int(found[read]) - plus, times)
    if rest or stage < 0:
        return None
    return fields | {name: times * stage + plus for name, (times, plus) in _COUNTS.items()}


def _block(theirs: str, forms: dict[str, tuple[str, Form]]) -> tuple[Rule, ...]:
    """Rules for the entries of a block: our name there, to theirs and the form."""
    return tuple(
        Rule(f"stages.{{stage}}.blocks.{{block}}.{ours}", f"{theirs}.{name}", form)
        for ours, (name, form) in forms.items()
    )


# The block of the official code, there and in the isotropic form.
_OFFICIAL_BLOCK: dict[str, tuple[str, Form]] = {
    "branch.spatial.{part}": ("dwconv.{part}", "same"),
    "branch.spatial_norm.{part}": ("norm.{part}", "same"),
    "branch.pointwise1.{part}": ("pwconv1.{part}", "matrix"),
    "branch.response_norm.weight": ("grn.gamma", "last"),
    "branch.response_norm.bias": ("grn.beta", "last"),
    "branch.pointwise2.{part}": ("pwconv2.{part}", "matrix"),
    "branch.scale.weight": ("gamma", "same"),
}

_OFFICIAL_HEAD = (
    Rule("head.norm.{part}", "norm.{part}"),
    Rule("head.classifier.{part}", "head.{part}"),
)

_OFFICIAL = (
    Rule("stem.conv.{part}", "downsample_layers.0.0.{part}"),
    Rule("stem.norm.{part}", "downsample_layers.0.1.{part}"),
    Rule("stages.{stage}.downsample.norm.{part}", "downsample_layers.{stage}.0.{part}"),
    Rule("stages.{stage}.downsample.conv.{part}", "downsample_layers.{stage}.1.{part}"),
    *_block("stages.{stage}.{block}", _OFFICIAL_BLOCK),
    *_OFFICIAL_HEAD,
)

_OFFICIAL_ISOTROPIC = (
    Rule("stem.conv.{part}", "stem.{part}"),
    *(
        Rule(rule.ours.replace("{stage}", "0"), rule.theirs, rule.form)
        for rule in _block("blocks.{block}", _OFFICIAL_BLOCK)
    ),
    *_OFFICIAL_HEAD,
)

_TIMM = (
    Rule("stem.conv.{part}", "stem.0.{part}"),
    Rule("stem.norm.{part}", "stem.1.{part}"),
    Rule("stages.{stage}.downsample.norm.{part}", "stages.{stage}.downsample.0.{part}"),
    Rule("stages.{stage}.downsample.conv.{part}", "stages.{stage}.downsample.1.{part}"),
    *_block(
        "stages.{stage}.blocks.{block}",
        {
            "branch.spatial.{part}": ("conv_dw.{part}", "same"),
            "branch.spatial_norm.{part}": ("norm.{part}", "same"),
            "branch.pointwise1.{part}": ("mlp.fc1.{part}", "matrix"),
            "branch.response_norm.{part}": ("mlp.grn.{part}", "same"),
            "branch.pointwise2.{part}": ("mlp.fc2.{part}", "matrix"),
            "branch.scale.weight": ("gamma", "same"),
        },
    ),
    Rule("head.norm.{part}", "head.norm.{part}"),
    Rule("head.classifier.{part}", "head.fc.{part}"),
)

_TORCHVISION = (
    Rule("stem.conv.{part}", "features.0.0.{part}"),
    Rule("stem.norm.{part}", "features.0.1.{part}"),
    Rule("stages.{stage}.downsample.norm.{part}", "features.{between}.0.{part}"),
    Rule("stages.{stage}.downsample.conv.{part}", "features.{between}.1.{part}"),
    *_block(
        "features.{feature}.{block}",
        {
            "branch.spatial.{part}": ("block.0.{part}", "same"),
            "branch.spatial_norm.{part}": ("block.2.{part}", "same"),
            "branch.pointwise1.{part}": ("block.3.{part}", "matrix"),
            "branch.pointwise2.{part}": ("block.5.{part}", "matrix"),
            "branch.scale.weight": ("layer_scale", "column"),
        },
    ),
    Rule("head.norm.{part}", "classifier.0.{part}"),
    Rule("head.classifier.{part}", "classifier.2.{part}"),
)


def _resnet(*convs: str) -> tuple[Rule, ...]:
    """torchvision's names, which timm shares, for blocks of these convolutions."""
    numbered = [(f"branch.{conv}", at) for at, conv in enumerate(convs, 1)]
    names: dict[str, tuple[str, Form]] = {
        **{f"{conv}.{{part}}": (f"conv{at}.{{part}}", "same") for conv, at in numbered},
        **{f"{conv}_norm.{{part}}": (f"bn{at}.{{part}}", "same") for conv, at in numbered},
        "shortcut.conv.{part}": ("downsample.0.{part}", "same"),
        "shortcut.norm.{part}": ("downsample.1.{part}", "same"),
    }
    return (
        Rule("stem.conv.{part}", "conv1.{part}"),
        Rule("stem.norm.{part}", "bn1.{part}"),
        *_block("layer{layer}.{block}", names),
        Rule("head.classifier.{part}", "fc.{part}"),
    )


_BASIC_RESNET = _resnet("spatial1", "spatial2")
_BOTTLENECK_RESNET = _resnet("pointwise1", "spatial", "pointwise2")


def _own() -> tuple[Rule, ...]:
    """Our own names, which the other tables know between them."""
    theirs = (_OFFICIAL, _TIMM, _BASIC_RESNET, _BOTTLENECK_RESNET)
    return tuple(Rule(ours, ours) for ours in dict.fromkeys(r.ours for t in theirs for r in t))


def _convnext(branch_end: str, stem: str = "conv norm", stages: int | None = 4) -> Outline:
    return Outline(
        stem=stem,
        downsample="norm conv",
        branch=f"spatial spatial_norm pointwise1 act {branch_end}",
        shortcut="",
        after="",
        head="pool norm classifier",
        norm=nn.LayerNorm,
        activation=nn.GELU,
        stages=stages,
    )


def _resnet_outline(*convs: str) -> Outline:
    between = " ".join(f"{conv} {conv}_norm {conv}_act" for conv in convs)
    return Outline(
        stem="conv norm act pool",
        downsample="",
        branch=between.removesuffix(f" {convs[-1]}_act"),
        shortcut="(conv norm)?",
        after="act",
        head="pool classifier",
        norm=nn.BatchNorm2d,
        activation=nn.ReLU,
        stem_stride=2,
    )


_BASIC = _resnet_outline("spatial1", "spatial2")
_BOTTLENECK = _resnet_outline("pointwise1", "spatial", "pointwise2")
_V1_OR_V2 = "(pointwise2( scale)?|response_norm pointwise2)"

# Where several know equally many names of a file, the first is meant: a basic ResNet's names are
# some of those of a bottleneck one, and timm names ResNets as torchvision does.
TABLES: tuple[Table, ...] = (
    Table("nextify", "any network", _own(), None),
    Table("official", "ConvNeXt", _OFFICIAL, _convnext(_V1_OR_V2)),
    Table("official", "isotropic ConvNeXt", _OFFICIAL_ISOTROPIC,
          _convnext(_V1_OR_V2, stem="conv", stages=1)),
    Table("timm", "ConvNeXt", _TIMM, _convnext("(response_norm )?pointwise2( scale)?")),
    Table("torchvision", "ConvNeXt", _TORCHVISION, _convnext("pointwise2 scale", stages=None)),
    Table("torchvision", "ResNet of basic blocks", _BASIC_RESNET, _BASIC),
    Table("torchvision", "ResNet", _BOTTLENECK_RESNET, _BOTTLENECK),
    Table("timm", "ResNet of basic blocks", _BASIC_RESNET, _BASIC),
    Table("timm", "ResNet", _BOTTLENECK_RESNET, _BOTTLENECK),
)  # fmt: skip

NAMINGS: tuple[NamingName, ...] = ("nextify", "official", "timm", "torchvision")
