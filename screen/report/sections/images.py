"""The quality of the images, field by field."""

from __future__ import annotations

from screen.report import field_maps
from screen.report.section import Facts, Section


def section(facts: Facts) -> Section:
    """Flagged fields and where they lie."""
    images = field_maps.image_quality(facts.tables)
    data = field_maps.island(facts.tables, facts.plate_format)
    islands = {} if data is None else {"fields": data}
    return Section("images", "Images", "Image quality", {"images": images}, islands)
