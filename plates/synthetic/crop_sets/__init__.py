"""Virtual crop sets with known truth: donors, ages, colours, each with its ceiling."""

from plates.synthetic.crop_sets.ages import simulate_ages as simulate_ages
from plates.synthetic.crop_sets.archive import FILES as FILES
from plates.synthetic.crop_sets.archive import VirtualSet as VirtualSet
from plates.synthetic.crop_sets.colours import simulate_colours as simulate_colours
from plates.synthetic.crop_sets.donors import simulate_donors as simulate_donors
from plates.synthetic.crop_sets.settings import AgeSettings as AgeSettings
from plates.synthetic.crop_sets.settings import ColourSettings as ColourSettings
from plates.synthetic.crop_sets.settings import DonorSettings as DonorSettings
