"""Weight files of other programs and of ours, read without running anything of them."""

from screen.weight_files.reading import read_weight_file as read_weight_file
from screen.weight_files.weight_file import WeightFile as WeightFile
