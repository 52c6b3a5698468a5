"""The files beside the page: a workbook, an SD file, a pick list and methods text."""

from screen.report.files.beside import BESIDE as BESIDE
from screen.report.files.beside import Written as Written
from screen.report.files.beside import write_beside as write_beside
from screen.report.files.cherry_picks import PickRules as PickRules
