"""OME-Zarr plates of other tools: NGFF 0.4 and 0.5 from a folder, a zip file or S3.

Nothing of a plate is run: its metadata are judged as plain JSON, its chunks are fetched
and decoded here, and what is missing, empty or damaged is told and never read as zeros.
"""

from plates.ome_zarr.reader import NAME as NAME
from plates.ome_zarr.reader import detect as detect
from plates.ome_zarr.reader import plane_kind as plane_kind
from plates.ome_zarr.reader import read_planes as read_planes
from plates.ome_zarr.reader import scan as scan
