"""What the structures of a screen say: families with many hits, cliffs, a map."""

from screen.report.chemistry.found import Chemistry as Chemistry
from screen.report.chemistry.found import find_chemistry as find_chemistry
