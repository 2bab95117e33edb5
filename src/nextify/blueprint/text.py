"""A blueprint as text that a person can read."""

from nextify.blueprint.specs import (
    Activation,
    Attention,
    Block,
    Blueprint,
    ClassToken,
    Composite,
    Conv,
    Embedding,
    EncoderBlock,
    Gather,
    GlobalPool,
    Layer,
    Layers,
    LayerScale,
    Linear,
    MaxPool,
    Norm,
    PatchMerging,
    ResponseNorm,
    TokenLayer,
    TokenLinear,
    TokenNorm,
    TokenPool,
    TokensLast,
    Unwindow,
    WindowAttention,
    WindowBlock,
    Windows,
)


def as_text(blueprint: Blueprint) -> str:
    """One line per layer; equal neighbouring blocks are written once with their number.

    >>> from nextify.blueprint import draw
    >>> from nextify.designs import design
    >>> print(as_text(draw(design("convnext-tiny"))).splitlines()[1])
      conv: conv 4x4/4 3 → 96
    """
    lines: list[str] = []
    for section, layers in blueprint.sections():
        lines.append(section)
        lines.extend(_lines(layers, "  "))
    return "\n".join(lines)


def _lines(layers: Layers, indent: str) -> list[str]:
    lines: list[str] = []
    at = 0
    while at < len(layers):
        name, layer = layers[at]
        same = at + 1
        while (
            isinstance(layer, Block | EncoderBlock)
            and same < len(layers)
            and layers[same][1] == layer
        ):
            same += 1
        times = f" to {layers[same - 1][0]}: {same - at} equal blocks" if same - at > 1 else ""
        line = "" if times and isinstance(layer, Block) else f": {_line(layer)}"
        lines.append(f"{indent}{name}{times}{line}")
        if isinstance(layer, Block):
            lines.extend(_lines(layer.branch, indent + "  "))
            shortcut = " → ".join(_line(part) for _, part in layer.shortcut) or "identity"
            after = "".join(f", then {_line(part)}" for _, part in layer.after)
            lines.append(f"{indent}  + shortcut: {shortcut}{after}")
        at = same
    return lines


def _line(layer: Layer) -> str:
    match layer:
        case Conv():
            kind = "conv"
            if layer.groups > 1:
                kind = "depthwise conv" if layer.groups == layer.inputs else "grouped conv"
            stride = f"/{layer.stride}" if layer.stride > 1 else ""
            bias = "" if layer.bias else ", no bias"
            size = f"{layer.kernel}x{layer.kernel}{stride}"
            return f"{kind} {size} {layer.inputs} → {layer.outputs}{bias}"
        case MaxPool():
            return f"max pool {layer.kernel}x{layer.kernel}/{layer.stride}"
        case Norm():
            return f"{layer.kind} norm {layer.channels}"
        case Activation():
            return {"relu": "ReLU", "gelu": "GELU"}[layer.kind]
        case LayerScale():
            return f"layer scale {layer.channels}, initially {layer.initial:g}"
        case ResponseNorm():
            return f"global response norm {layer.channels}"
        case GlobalPool():
            return "global average pool"
        case Linear():
            return f"linear {layer.inputs} → {layer.outputs}"
        case Block():
            return "block"
        case EncoderBlock() | WindowBlock() | PatchMerging():
            return _composite(layer)
        case _:
            return _token_line(layer)


def _composite(layer: Composite) -> str:
    match layer:
        case EncoderBlock():
            return (
                f"encoder block {layer.channels}, attention of {layer.heads} heads, MLP "
                f"{layer.channels} → {layer.inner} → {layer.channels}"
            )
        case WindowBlock():
            shift = f" shifted by {layer.shift}" if layer.shift else ""
            return (
                f"window block {layer.channels}, attention of {layer.heads} heads in windows of "
                f"{layer.window}x{layer.window}{shift}, MLP {layer.channels} → {layer.inner} → "
                f"{layer.channels}"
            )
        case PatchMerging():
            return f"patch merging 2x2 {layer.channels} → {2 * layer.channels}"


def _token_line(layer: TokenLayer) -> str:
    match layer:
        case TokensLast():
            return "channels last"
        case Embedding():
            return f"class token and positions, {layer.tokens} tokens of {layer.channels}"
        case TokenNorm():
            return f"layer norm {layer.channels}"
        case TokenLinear():
            bias = "" if layer.bias else ", no bias"
            return f"linear {layer.inputs} → {layer.outputs}{bias}"
        case Attention():
            return f"attention of {layer.heads} heads"
        case Windows():
            return f"windows of {layer.window}x{layer.window}"
        case WindowAttention():
            return f"attention of {layer.heads} heads in windows"
        case Unwindow():
            return f"map {layer.height}x{layer.width}"
        case Gather():
            return "2x2 tokens as one"
        case ClassToken():
            return "class token"
        case TokenPool():
            return "mean over tokens"
