"""What a file looks like that holds no weights for nextify's networks: said where it is refused."""

import re
from collections.abc import Iterable

# The first bytes of files that are found in the place of weights.
_STARTS = {
    b"version https://git-lfs": "a pointer of git-lfs and not the weights; fetch them with "
    "`git lfs pull`",
    b"GGUF": "a GGUF file, of a language model",
    b"\x89HDF": "an HDF5 file, as Keras writes; nextify reads torch's weights",
    b"\x93NUMPY": "an array of numpy",
    b"\x1f\x8b": "a compressed file; unpack it and give the file in it",
    b"\xfd7zXZ": "a compressed file; unpack it and give the file in it",
    b"7z\xbc\xaf": "a compressed archive; unpack it and give the file in it",
    b"Rar!": "a compressed archive; unpack it and give the file in it",
    b"\xff\xd8\xff": "an image",
    b"\x89PNG": "an image",
    b"<?xml": "an answer in XML, as a server gives where a download failed; download it again",
    b"{": "a text in JSON; give the file of weights beside it",
}
_PAGES = (b"<!doctype html", b"<html", b"<head")

# Parts of names by which networks are known, the more special ones first.
_NAMES = {
    r"lora_(A|B|up|down|a|b)\b|hada_w": "a LoRA, which is a change to another network: merge it "
    "into that first",
    r"(^|\.)(embed_tokens|wte|word_embeddings|tok_embeddings|lm_head)\.": "a language model",
    r"(^|\.)(down_blocks|diffusion_model|first_stage_model)\.": "a diffusion model",
    r"(^|\.)model\.\d+\.(conv|cv\d|m|dfl)\.": "a YOLO, a detection model",
    r"(^|\.)(rpn|roi_heads?|bbox_head|class_embed|bbox_embed|decode_head|segmentation_head)\.":
        "a detection or segmentation model",
    r"\.cpb_mlp\.": "a Swin V2, of whose attention nextify has none",
    r"(^|\.)(text_model|text_projection|logit_scale)": "a model of images and texts, as CLIP",
    r"relative_position_bias_table|\.rel_pos": "a Swin or another network of windows",
    r"cls_token|class_token|pos_embed|patch_embed|position_embeddings|\.attn\.qkv|conv_proj":
        "a ViT",
    r"conv_stem|_depthwise_conv|\.block\.\d\.\d\.|features\.\d+\.conv\.\d|\.conv_pwl?\.":
        "an EfficientNet or MobileNet",
    r"denseblock": "a DenseNet",
    r"Mixed_\d|inception\d": "an Inception network",
    r"trunk_output|(^|\.)s\d\.b\d\.": "a RegNet",
    r"(^|\.)features\.\d+\.weight": "a VGG or AlexNet",
    r"depthwise_conv|dwconv|downsample_layers": "a ConvNeXt under names of another program",
    r"(^|\.)layer\d\.\d+\.": "a relative of ResNet",
}  # fmt: skip


def of_bytes(start: bytes) -> str | None:
    """What a file is that begins so, and the remedy; None: not known.

    >>> of_bytes(b"GGUF and so on")
    'a GGUF file, of a language model'
    """
    if not start:
        return "an empty file; the download may have failed: repeat it"
    if not any(start):
        return "a file of zeros; the download may have failed: repeat it"
    if start.lstrip().lower().startswith(_PAGES):
        return ("a web page, as a site answers where a download failed or wants a login; download "
                "the weights again")  # fmt: skip
    if start[257:262] == b"ustar":
        return "a tar archive; unpack it and give the file of weights in it"
    if start[:1] == b"\x08" and start[2:3] in (b"\x12", b":", b"B"):
        return "an ONNX file; give the weights that it was made from"
    if start[4:8] == b"TFL3":
        return "a TensorFlow Lite file; nextify reads torch's weights"
    return next((what for begin, what in _STARTS.items() if start.startswith(begin)), None)


def of_names(names: Iterable[str]) -> str | None:
    """What kind of network has entries of such names; None: not known.

    >>> of_names(["blocks.0.attn.qkv.weight", "cls_token"])
    'a ViT'
    """
    text = "\n".join(names)
    found = (what for part, what in _NAMES.items() if re.search(part, text, re.MULTILINE))
    return next(found, None)
