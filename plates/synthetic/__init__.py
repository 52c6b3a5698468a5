"""Virtual screens with known truth: cells, compounds, plates and their accidents."""

from plates.synthetic.screen import simulate_campaign as simulate_campaign
from plates.synthetic.settings import KINDS as KINDS
from plates.synthetic.settings import SimulateSettings as SimulateSettings
