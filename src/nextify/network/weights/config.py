"""What the configuration beside published weights says of them: timm's `config.json`, and that of
transformers with its `preprocessor_config.json`. What would change the answers is honoured, or
refused by its name."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nextify.errors import InputError
from nextify.network.weights.class_names import names_of
from nextify.network.weights.preprocessing import Preprocessing, preprocessing_of

Values = Mapping[str, Any]

# Networks of timm that compute what ours of the same entries compute: resnetblur50, for one, has
# the entries of a ResNet-50 and does not.
_PLAIN = re.compile(
    r"(tv_|wide_)?resnet\d+(_2)?"
    r"|convnext(v2)?_(atto|femto|pico|nano|tiny|small|base|large|xlarge|huge)"
    r"|(?P<swin>swin_(tiny|small|base|large)_patch\d+_window\d+_\d+)"
    r"|(?P<vit>(vit|deit)_(tiny|small|base|large|huge|giant)_patch\d+_\d+)"
)
# Arguments of timm's networks that entries show, or that matter in training only.
_SHOWN = {
    "conv_mlp", "depth", "depths", "dims", "drop_path_rate", "drop_rate", "embed_dim", "img_size",
    "in_chans", "layers", "ls_init_value", "num_classes", "patch_size", "use_grn", "window_size",
}  # fmt: skip
# Pillow's numbers for interpolation, which transformers writes.
_BY_NUMBER = ("nearest", "lanczos", "bilinear", "bicubic", "box", "hamming")
# What stands beside timm's `pretrained_cfg` as well as in it, and then counts.
_OVER = ("architecture", "label_descriptions", "label_names", "num_classes")
_SQUASHED_FROM = 384  # pixels; transformers' ConvNeXt processor cuts nothing off from there on


@dataclass(frozen=True, kw_only=True, slots=True)
class Stated:
    """What came with weights.

    Attributes:
        preprocessing: None: nothing of it. class_names: in the order of the outputs; none if they
            are not known. classes: how many outputs. modules: that have weights, by their names.
    """

    preprocessing: Preprocessing | None = None
    class_names: tuple[str, ...] = ()
    classes: int | None = None
    modules: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def read_config(config: Values, processor: Values) -> Stated:
    """What a `config.json` says, and transformers' `preprocessor_config.json` beside it.

    >>> read_config({"pretrained_cfg": {"input_size": [3, 288, 288]}}, {}).preprocessing.image_size
    288

    Raises:
        InputError: values that cannot be meant, or that nextify does not honour.
    """
    given = _given(config)
    is_transformers = "model_type" in given and "pretrained_cfg" not in given
    return _transformers(given, _given(processor)) if is_transformers else _timm(given)


def _given(values: Values) -> dict[str, Any]:
    """Null is what was not said."""
    return {name: value for name, value in values.items() if value is not None}


def _timm(config: Values) -> Stated:
    inner = config.get("pretrained_cfg", config)
    if not isinstance(inner, Mapping):
        raise InputError("'pretrained_cfg' holds no fields")
    over = {name: config[name] for name in _OVER if name in config}
    values = {**_given(inner), **over}
    _require_plain(values, config)
    names = values.get("label_names") or values.get("labels")
    modules = [values[field] for field in ("first_conv", "classifier") if field in values]
    classes = values.get("num_classes")
    if not (classes is None or type(classes) is int) or not all(type(m) is str for m in modules):
        raise InputError(f"'num_classes' is {classes!r}, and weights are in {modules!r}")
    return Stated(
        preprocessing=preprocessing_of(_as_ours(values)),
        class_names=_names("label_names", names),
        classes=classes,
        modules=tuple(modules),
        notes=(*_test_size(values), *_descriptions(values)),
    )


def _require_plain(values: Values, config: Values) -> None:
    """Refuse what computes something else with the same entries."""
    arguments = config.get("model_args", {})
    if not isinstance(arguments, Mapping):
        raise InputError(f"'model_args' is {arguments!r}; fields are expected")
    arguments = {"global_pool": config.get("global_pool"), **arguments}
    named = str(values.get("architecture", "")).partition(".")[0]
    plain = _PLAIN.fullmatch(named)
    shown = _SHOWN | {"num_heads"} if plain and plain["swin"] else _SHOWN
    if arguments["global_pool"] in (None, "", "token" if plain and plain["vit"] else "avg"):
        shown = shown | {"global_pool"}
    strange = {name: value for name, value in arguments.items() if name not in shown}
    if named and not plain:
        strange["architecture"] = named
    for name, value in strange.items():
        raise InputError(f"{name!r} is {value!r}, which is none of nextify's networks")


def _as_ours(values: Values) -> dict[str, Any]:
    """timm's fields under our names."""
    size = values.get("input_size", (3, 224, 224))
    if not isinstance(size, list | tuple) or len(size) != 3 or size[1] != size[2]:
        raise InputError(f"'input_size' is {size!r}; square images are expected")
    fields = {"interpolation": "interpolation", "crop_pct": "crop", "crop_mode": "crop_mode"}
    found = {ours: values[theirs] for theirs, ours in fields.items() if theirs in values}
    colours = {name: _by_channel(values[name]) for name in ("mean", "std") if name in values}
    return {**found, **colours, "image_size": size[1]}


def _by_channel(value: Any) -> Any:
    """One number for all channels, also as a list of one, stands for three."""
    if isinstance(value, int | float):
        return (value,) * 3
    return (*value,) * 3 if isinstance(value, list | tuple) and len(value) == 1 else value


def _test_size(values: Values) -> list[str]:
    size, usual = values.get("test_input_size"), values.get("input_size", [224])
    if not isinstance(size, list | tuple) or not size or size == usual:
        return []
    crop = f" and a crop of {values['test_crop_pct']}" if "test_crop_pct" in values else ""
    return [f"timm tests these weights at {size[-1]} pixels{crop} (test_input_size); here they see "
            f"{usual[-1]}"]  # fmt: skip


def _descriptions(values: Values) -> list[str]:
    if "label_descriptions" not in values:
        return []
    return ["classes have the names in label_names, not label_descriptions; --class-names FILE "
            "gives others"]  # fmt: skip


def _names(field: str, names: Any) -> tuple[str, ...]:
    try:
        return names_of(names) if names else ()
    except InputError as error:
        raise InputError(f"{field!r}: {error}") from None


def _transformers(config: Values, processor: Values) -> Stated:
    usual = "relu" if config["model_type"] == "resnet" else "gelu"
    strange = {"hidden_act": (usual,), "downsample_in_first_stage": (False,),
               "downsample_in_bottleneck": (False,), "num_channels": (1, 3)}  # fmt: skip
    for field, expected in strange.items():
        if field in config and config[field] not in expected:
            raise InputError(f"{field!r} is {config[field]!r}, which no network of nextify has")
    names = config.get("id2label")
    known = isinstance(names, Mapping) and any(n != f"LABEL_{at}" for at, n in names.items())
    return Stated(
        preprocessing=_processed(processor) if processor else None,
        class_names=_names("id2label", names) if known else (),
        classes=len(names) if isinstance(names, Mapping) else None,
    )


def _processed(processor: Values) -> Preprocessing:
    """What transformers' ConvNeXt processor does, which its ResNets have, too."""
    off = [name for name, value in processor.items() if name.startswith("do_") and value is False]
    off += [name for name in ("do_center_crop", "do_pad") if processor.get(name)]
    if off:
        raise InputError(f"{off[0]!r} is {processor[off[0]]!r}, which nextify does not do")
    rescale = processor.get("rescale_factor", 1 / 255)
    is_ours = type(rescale) is float and math.isclose(rescale, 1 / 255, rel_tol=1e-3)
    if processor.get("rescale_offset") or not is_ours:
        raise InputError(f"'rescale_factor' is {rescale!r}; nextify's is 1/255, without offset")
    size: Any = processor.get("size", 224)
    size = size if isinstance(size, Mapping) else {"shortest_edge": size}
    edge = size.get("shortest_edge")
    is_squashed = edge is None or (type(edge) is int and edge >= _SQUASHED_FROM)
    if edge is None and size.get("height") != size.get("width"):
        raise InputError(f"'size' is {dict(size)!r}; square images are expected")
    number = processor.get("resample", 3)
    if type(number) is not int or number not in range(len(_BY_NUMBER)):
        raise InputError(f"'resample' is {number!r}; expected is 0 to {len(_BY_NUMBER) - 1}")
    colours = {ours: _by_channel(processor[theirs])
               for ours, theirs in (("mean", "image_mean"), ("std", "image_std"))
               if theirs in processor}  # fmt: skip
    return preprocessing_of({
        **colours,
        "image_size": size.get("height") if edge is None else edge,
        "interpolation": _BY_NUMBER[number],
        "crop": 1.0 if is_squashed else processor.get("crop_pct", 0.875),
        "crop_mode": "squash" if is_squashed else "center",
    })  # fmt: skip
