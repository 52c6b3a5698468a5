"""Arrays that evaluation speaks of: one row is one crop."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.intp]  # places in the table of crops
Scores = NDArray[np.float64]  # f64[n], or f64[n k]: a probability a class
Labels = NDArray[np.integer[Any]]  # classes or grades 0 .. k - 1
Values = NDArray[np.float64]  # measured values f64[n] of a regression
