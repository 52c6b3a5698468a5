"""Files to labelled data and back: wells, plate maps, compounds, stores, virtual plates."""

# Only what costs nothing to import; the rest is imported from its own module.
from plates.problems import FieldError as FieldError
from plates.problems import InputError as InputError
from plates.problems import Problem as Problem
from plates.wells import PlateFormat as PlateFormat
from plates.wells import Well as Well
