"""Text in lines of a given width."""

from wordwrap.align import center, justify, right
from wordwrap.table import table
from wordwrap.wrap import fill, wrap

__all__ = ["center", "fill", "justify", "right", "table", "wrap"]
