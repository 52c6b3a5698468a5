"""Drawings that stand alone: shown in a notebook, saved as SVG."""

from screen.figures.figure import Figure as Figure
