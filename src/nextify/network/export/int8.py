"""Weights and activations of 8 bits, with ranges from images: for onnxruntime and OpenVINO."""

import platform
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from nextify.network.export.files import library, quiet, to_openvino

_PRODUCTS = ["Conv", "MatMul", "Gemm"]  # what takes the time; all else stays in float32
_WITHOUT_LIMIT = ("avx512_vnni", "avx_vnni", "amx_int8", "avx10")


def saturates() -> bool:
    """Whether this processor adds products of 8 bits in pairs of 16 bits, which full weights may
    overflow: one of x86 without VNNI."""
    if platform.machine().lower() not in ("x86_64", "amd64"):
        return False
    info = Path("/proc/cpuinfo")
    told = info.read_text() if info.exists() else ""
    return not any(name in told for name in _WITHOUT_LIMIT)


def quantised(draft: Path, images: Sequence[Tensor], reduced: bool) -> bool:
    """Put a network of 8 bits in the place of an exported one.

    Each weight's range is that of its output channel, each activation's what these images make of
    it. Returns whether weights have 7 bits, which no processor's sums overflow.

    Args:
        images: in batches, as the exported network takes them. reduced: 7 bits in any case.
    """
    narrow = reduced or saturates()
    whole = draft.with_suffix(".onnx")
    short = whole.with_name(f"short-{whole.name}")
    quantization = library("onnxruntime.quantization")
    with quiet():
        quantization.quantize_static(
            whole,
            short,
            _reader(quantization.CalibrationDataReader, images),
            quant_format=quantization.QuantFormat.QDQ,
            op_types_to_quantize=_PRODUCTS,
            per_channel=True,
            reduce_range=narrow,
            activation_type=quantization.QuantType.QUInt8,
            weight_type=quantization.QuantType.QInt8,
        )
    short.replace(whole)
    if draft.suffix == ".xml":
        to_openvino(whole, draft)
    return narrow


def _reader(kind: type, images: Sequence[Tensor]) -> Any:
    """Images as onnxruntime asks for them."""

    class Reader(kind):  # type: ignore[misc]
        def __init__(self) -> None:
            self.left: Iterator[Tensor] = iter(images)

        def get_next(self) -> dict[str, Any] | None:
            found = next(self.left, None)
            return None if found is None else {"images": found.contiguous().numpy()}

    return Reader()
