"""Can batch norm be trained? It divides by a channel's deviation, which needs two values."""

from nextify.costs.count import cost
from nextify.designs import AnyDesign, Design
from nextify.errors import InputError


def require_values(design: AnyDesign, batch_size: int, image_size: int | tuple[int, int]) -> None:
    """Check that batch norm, where a design has it, sees more than one value of a channel.

    Raises:
        InputError: a batch of one image, and a map of one pixel.
    """
    if batch_size > 1 or not (isinstance(design, Design) and design.norm == "batch"):
        return
    maps = [each.shape for each in cost(design, image_size).layers if _is_batch_norm(each.name)]
    if any(height * width == 1 for _, height, width in maps):  # of the pooled map, too
        raise InputError(
            "training with batch norm on maps of one pixel needs a batch of at least 2; give a "
            "batch_size of 2 or more"
        )


def _is_batch_norm(name: str) -> bool:
    return name.endswith("norm") and not name.endswith("response_norm")
