"""Normalisers of plate values: each checks its assumptions before use and says what it did instead."""

from screen.statistics.normalizers.apply import NAMES as NAMES
from screen.statistics.normalizers.apply import Normalized as Normalized
from screen.statistics.normalizers.apply import normalize as normalize
from screen.statistics.normalizers.grid import PlateGrid as PlateGrid
from screen.statistics.normalizers.grid import plate_grid as plate_grid
from screen.statistics.normalizers.methods import METHODS as METHODS
