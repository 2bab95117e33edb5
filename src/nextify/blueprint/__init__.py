"""What a design means: `draw` turns choices into layer specs, once for counting and building."""

from nextify.blueprint.draw import draw, draw_sized
from nextify.blueprint.image_size import require_image_size
from nextify.blueprint.specs import sides_of
from nextify.blueprint.text import as_text
from nextify.blueprint.transformers import unfold
