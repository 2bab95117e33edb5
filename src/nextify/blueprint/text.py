"""A blueprint as text that a person can read."""

from itertools import groupby

from nextify.blueprint import specs


def as_text(blueprint: specs.Blueprint) -> str:
    """One line per layer; equal neighbouring blocks are written once with their number.

    >>> from nextify.blueprint import draw
    >>> from nextify.designs import design
    >>> print(as_text(draw(design("convnext-tiny"))).splitlines()[1])
      conv: conv 4x4/4 3 → 96
    """
    lines: list[str] = []
    for section, layers in blueprint.sections():
        lines += [section, *_lines(layers, "  ")]
    return "\n".join(lines)


def _lines(layers: specs.Layers, indent: str) -> list[str]:
    lines: list[str] = []

    def alike(at: int) -> object:
        layer = layers[at][1]
        return layer if isinstance(layer, specs.Block | specs.EncoderBlock) else at

    for _, run in groupby(range(len(layers)), key=alike):
        first, *more = run
        name, layer = layers[first]
        times = f" to {layers[more[-1]][0]}: {1 + len(more)} equal blocks" if more else ""
        line = "" if times and isinstance(layer, specs.Block) else f": {_line(layer)}"
        lines.append(f"{indent}{name}{times}{line}")
        if isinstance(layer, specs.Block):
            lines.extend(_lines(layer.branch, indent + "  "))
            shortcut = " → ".join(_line(part) for _, part in layer.shortcut) or "identity"
            after = "".join(f", then {_line(part)}" for _, part in layer.after)
            lines.append(f"{indent}  + shortcut: {shortcut}{after}")
    return lines


def _line(layer: specs.Layer) -> str:
    match layer:
        case specs.Conv():
            kind = "depthwise conv" if layer.groups > 1 else "conv"
            stride = f"/{layer.stride}" if layer.stride > 1 else ""
            bias = "" if layer.bias else ", no bias"
            size = f"{layer.kernel}x{layer.kernel}{stride}"
            return f"{kind} {size} {layer.inputs} → {layer.outputs}{bias}"
        case specs.Activation():
            return {"relu": "ReLU", "gelu": "GELU"}[layer.kind]
        case specs.WindowBlock():
            shift = f" shifted by {layer.shift}" if layer.shift else ""
            return (
                f"window block {layer.channels}, attention of {layer.heads} heads in windows of "
                f"{layer.window}x{layer.window}{shift}, MLP {layer.channels} → {layer.inner} → "
                f"{layer.channels}"
            )
        case specs.PatchMerging():
            return f"patch merging 2x2 {layer.channels} → {2 * layer.channels}"
        case _:
            return _LINES[type(layer)].format(layer)


_LINES: dict[type, str] = {
    specs.MaxPool: "max pool {0.kernel}x{0.kernel}/{0.stride}",
    specs.Norm: "{0.kind} norm {0.channels}",
    specs.LayerScale: "layer scale {0.channels}, initially {0.initial:g}",
    specs.ResponseNorm: "global response norm {0.channels}",
    specs.GlobalPool: "global average pool",
    specs.Linear: "linear {0.inputs} → {0.outputs}",
    specs.Block: "block",
    specs.EncoderBlock: "encoder block {0.channels}, attention of {0.heads} heads, MLP "
    "{0.channels} → {0.inner} → {0.channels}",
    specs.TokensLast: "channels last",
    specs.Embedding: "class token and positions, {0.tokens} tokens of {0.channels}",
    specs.TokenNorm: "layer norm {0.channels}",
    specs.ClassToken: "class token",
    specs.TokenPool: "mean over tokens",
}
