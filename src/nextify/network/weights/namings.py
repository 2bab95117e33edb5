"""How others name the entries of the same networks: one table per naming and architecture.

A rule pairs a name of ours with a name of theirs; both are templates. Read forwards, it gives the
foreign name of each of our entries, so that a network says itself which names a file must hold;
read backwards, it recognises a file whose design is not known.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import astuple, dataclass
from functools import cache
from typing import Literal, get_args

from torch import nn

NamingName = Literal["nextify", "official", "timm", "torchvision", "transformers"]
Shape = tuple[int, ...]
Side = Literal["ours", "theirs"]

STEM = "stem.conv.weight"  # which every network begins with
COUNTER = "num_batches_tracked"  # of batch norms: a whole number, and never needed
INDEX = (
    "relative_position_index"  # of a Swin's windows: whole numbers, which follow from their size
)
_SHOWN = 3  # names in a message

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
    names of its modules in order, as a regular expression (parts that are not here are empty); the
    kinds of its norms and activations; how many stages, and the stride of the stem's convolution
    (None: any).
    """

    parts: Mapping[str, str]
    norm: type[nn.Module]
    activation: type[nn.Module]
    stages: int | None = 4
    stem_stride: int | None = None


@dataclass(frozen=True, eq=False, slots=True)
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
        for rule, counts in _read(self, "ours", ours):
            # Only the weight is a matrix; a bias is a vector everywhere.
            is_vector = rule.form == "matrix" and counts["part"] != "weight"
            return rule.theirs.format(**counts), "same" if is_vector else rule.form
        return None

    def ours(self, theirs: str) -> str | None:
        """Our name for an entry of theirs; None where it is not of this table.

        >>> torchvision = next(table for table in TABLES if table.naming == "torchvision")
        >>> torchvision.ours("features.3.0.layer_scale")
        'stages.1.blocks.0.branch.scale.weight'
        """
        found = (rule.ours.format(**counts) for rule, counts in _read(self, "theirs", theirs))
        return next(found, None)

    def known(self, theirs: Iterable[str]) -> dict[str, str]:
        """Our names for those entries of theirs that are of this table, by theirs."""
        names = ((name, self.ours(name)) for name in theirs)
        return {name: ours for name, ours in names if ours is not None}


def shaped(ours: Shape, form: Form) -> Shape:
    """Their shape of an entry, from ours.

    >>> shaped((384, 96, 1, 1), "matrix"), shaped((96,), "column"), shaped((384,), "last")
    ((384, 96), (96, 1, 1), (1, 1, 1, 384))
    """
    column, last = (*ours, 1, 1), (1, 1, 1, *ours)
    return {"same": ours, "matrix": ours[:2], "column": column, "last": last}[form]


def _read(table: Table, side: Side, name: str) -> Iterator[tuple[Rule, dict[str, object]]]:
    """The rules whose template on this side reads a name, each with all fields of templates."""
    for pattern, rule in _readers(table, side):
        found = pattern.fullmatch(name)
        counts = _counts(found) if found else None
        if counts is not None:
            yield rule, counts


@cache
def _readers(table: Table, side: Side) -> tuple[tuple[re.Pattern[str], Rule], ...]:
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


# The names of a ConvNeXt, ours beside those of the official code, of timm and of torchvision: for
# each place in the network, what stands there. torchvision has no ConvNeXt V2.
_DOWNSAMPLE, _BLOCK = "stages.{stage}.downsample", "stages.{stage}.blocks.{block}"
_Names = tuple[str, str, str, str]
_CONVNEXT: dict[_Names, tuple[_Names, ...]] = {
    ("stem", "downsample_layers.0", "stem", "features.0"): (
        ("conv.{part}", "0.{part}", "0.{part}", "0.{part}"),
        ("norm.{part}", "1.{part}", "1.{part}", "1.{part}"),
    ),
    (_DOWNSAMPLE, "downsample_layers.{stage}", _DOWNSAMPLE, "features.{between}"): (
        ("norm.{part}", "0.{part}", "0.{part}", "0.{part}"),
        ("conv.{part}", "1.{part}", "1.{part}", "1.{part}"),
    ),
    (f"{_BLOCK}.branch", "stages.{stage}.{block}", _BLOCK, "features.{feature}.{block}"): (
        ("spatial.{part}", "dwconv.{part}", "conv_dw.{part}", "block.0.{part}"),
        ("spatial_norm.{part}", "norm.{part}", "norm.{part}", "block.2.{part}"),
        ("pointwise1.{part}", "pwconv1.{part}", "mlp.fc1.{part}", "block.3.{part}"),
        ("response_norm.weight", "grn.gamma", "mlp.grn.weight", ""),
        ("response_norm.bias", "grn.beta", "mlp.grn.bias", ""),
        ("pointwise2.{part}", "pwconv2.{part}", "mlp.fc2.{part}", "block.5.{part}"),
        ("scale.weight", "gamma", "gamma", "layer_scale"),
    ),
    ("head", "", "head", "classifier"): (
        ("norm.{part}", "norm.{part}", "norm.{part}", "0.{part}"),
        ("classifier.{part}", "head.{part}", "fc.{part}", "2.{part}"),
    ),
}


def _convnext_rules(column: int, **forms: Form) -> tuple[Rule, ...]:
    """The rules of a column; `forms` of the entries whose shapes are not ours, by module."""
    forms = {"pointwise1": "matrix", "pointwise2": "matrix", **forms}
    return tuple(
        Rule(
            f"{places[0]}.{names[0]}",
            f"{places[column]}.{names[column]}".removeprefix("."),
            forms.get(names[0].partition(".")[0], "same"),
        )
        for places, rows in _CONVNEXT.items()
        for names in rows
        if names[column]
    )


_OFFICIAL = _convnext_rules(1, response_norm="last")
_TIMM = _convnext_rules(2)
_TORCHVISION = _convnext_rules(3, scale="column")
_OFFICIAL_ISOTROPIC = (
    Rule("stem.conv.{part}", "stem.{part}"),
    *(
        Rule(ours.replace("{stage}", "0"), theirs.replace("stages.{stage}", "blocks"), form)
        for ours, theirs, form in map(astuple, _OFFICIAL)
        if ours.startswith(("stages.{stage}.blocks", "head"))
    ),
)


def _resnet(*convs: str) -> tuple[tuple[Rule, ...], Outline]:
    """torchvision's names, which timm shares, for blocks of these convolutions; the outline."""
    theirs = {"shortcut.conv": "downsample.0", "shortcut.norm": "downsample.1"}
    for at, conv in enumerate(convs, 1):
        theirs |= {f"branch.{conv}": f"conv{at}", f"branch.{conv}_norm": f"bn{at}"}
    names = {"stem.conv": "conv1", "stem.norm": "bn1"}
    names |= {f"{_BLOCK}.{a}": f"layer{{layer}}.{{block}}.{b}" for a, b in theirs.items()}
    names["head.classifier"] = "fc"
    between = " ".join(f"{conv} {conv}_norm {conv}_act" for conv in convs)
    parts = {
        "stem": "conv norm act pool",
        "branches": between.removesuffix(f" {convs[-1]}_act"),
        "shortcuts": "(conv norm)?",
        "after blocks": "act",
        "head": "pool classifier",
    }
    rules = tuple(Rule(f"{a}.{{part}}", f"{b}.{{part}}") for a, b in names.items())
    return rules, Outline(parts, nn.BatchNorm2d, nn.ReLU, stem_stride=2)


# transformers' names of a ConvNeXt are the official ones but for these parts, in this order.
_HF_STAGE, _HF_BLOCK = "encoder.stages.{stage}", "encoder.stages.{stage}.layers.{block}"
_HF_PARTS = {
    "downsample_layers.0.0": "embeddings.patch_embeddings",
    "downsample_layers.0.1": "embeddings.layernorm",
    "downsample_layers.{stage}": f"{_HF_STAGE}.downsampling_layer",
    "stages.{stage}.{block}": _HF_BLOCK,
    "grn.gamma": "grn.weight",
    "grn.beta": "grn.bias",
    "gamma": "layer_scale_parameter",
    "norm.": "layernorm.",
}


def _convnext_of_transformers(model: str) -> tuple[Rule, ...]:
    rules = []
    for rule in _OFFICIAL:
        theirs = rule.theirs.replace("head.", "classifier.")
        for official, part in _HF_PARTS.items():
            theirs = theirs.replace(official, part, 1) if official in rule.theirs else theirs
        is_head = theirs.startswith("classifier")
        rules.append(Rule(rule.ours, theirs if is_head else f"{model}.{theirs}", rule.form))
    return tuple(rules)


def _resnet_of_transformers(*convs: str) -> tuple[Rule, ...]:
    branch, shortcut = f"{_BLOCK}.branch", f"{_BLOCK}.shortcut"
    places = [("stem.conv", "stem.norm", "embedder.embedder"),
              (f"{shortcut}.conv", f"{shortcut}.norm", f"{_HF_BLOCK}.shortcut"),
              *((f"{branch}.{conv}", f"{branch}.{conv}_norm", f"{_HF_BLOCK}.layer.{at}")
                for at, conv in enumerate(convs))]  # fmt: skip
    rules = [Rule("head.classifier.{part}", "classifier.1.{part}")]
    for conv, norm, theirs in places:
        rules.append(Rule(f"{conv}.{{part}}", f"resnet.{theirs}.convolution.{{part}}"))
        rules.append(Rule(f"{norm}.{{part}}", f"resnet.{theirs}.normalization.{{part}}"))
    return tuple(rules)


_BASIC_CONVS, _BOTTLENECK_CONVS = ("spatial1", "spatial2"), ("pointwise1", "spatial", "pointwise2")
_BASIC, _BOTTLENECK = _resnet(*_BASIC_CONVS), _resnet(*_BOTTLENECK_CONVS)

# Our own names, which the other tables know between them.
_KNOWN = (*_OFFICIAL, *_TIMM, *_BASIC[0], *_BOTTLENECK[0])
_OWN = tuple(Rule(ours, ours) for ours in dict.fromkeys(rule.ours for rule in _KNOWN))


def _convnext(branch_end: str, stem: str = "conv norm", stages: int | None = 4) -> Outline:
    parts = {
        "stem": stem,
        "downsampling": "norm conv",
        "branches": f"spatial spatial_norm pointwise1 act {branch_end}",
        "head": "pool norm classifier",
    }
    return Outline(parts, nn.LayerNorm, nn.GELU, stages)


_V1_OR_V2 = "(pointwise2( scale)?|response_norm pointwise2)"

# Where several know equally many names of a file, the first is meant: a basic ResNet's names are
# some of those of a bottleneck one, and timm names ResNets as torchvision does.
TABLES: tuple[Table, ...] = (
    Table("nextify", "any network", _OWN, None),
    Table("official", "ConvNeXt", _OFFICIAL, _convnext(_V1_OR_V2)),
    Table("official", "isotropic ConvNeXt", _OFFICIAL_ISOTROPIC,
          _convnext(_V1_OR_V2, stem="conv", stages=1)),
    Table("timm", "ConvNeXt", _TIMM, _convnext("(response_norm )?pointwise2( scale)?")),
    Table("torchvision", "ConvNeXt", _TORCHVISION, _convnext("pointwise2 scale", stages=None)),
    Table("torchvision", "ResNet of basic blocks", *_BASIC),
    Table("torchvision", "ResNet", *_BOTTLENECK),
    Table("timm", "ResNet of basic blocks", *_BASIC),
    Table("timm", "ResNet", *_BOTTLENECK),
    Table("transformers", "ConvNeXt", _convnext_of_transformers("convnext"),
          _convnext("pointwise2 scale", stages=None)),
    Table("transformers", "ConvNeXt V2", _convnext_of_transformers("convnextv2"),
          _convnext("response_norm pointwise2", stages=None)),
    Table("transformers", "ResNet of basic blocks", _resnet_of_transformers(*_BASIC_CONVS),
          _BASIC[1]),
    Table("transformers", "ResNet", _resnet_of_transformers(*_BOTTLENECK_CONVS), _BOTTLENECK[1]),
)  # fmt: skip

NAMINGS: tuple[NamingName, ...] = get_args(NamingName)


def listed(names: Iterable[str]) -> str:
    """The first few names, and how many more there are. They come from a file: what does not print,
    as a line break, is escaped.

    >>> listed(["a", "b", "c", "d", "e"])
    'a, b, c and 2 more'
    """
    every = list(names)
    more = f" and {len(every) - _SHOWN} more" if len(every) > _SHOWN else ""
    return ", ".join(name if name.isprintable() else repr(name) for name in every[:_SHOWN]) + more
