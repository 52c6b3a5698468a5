"""The values of `decision.normalizer`: `auto`, and every method of the registry."""

NORMALIZERS = (
    "auto",
    "percent_of_control",
    "npi",
    "rescue",
    "z",
    "robust_z",
    "null_z",
    "b_score",
    "surface",
    "loess",
    "well_correction",
    "places",
    "control_plate",
    "count_regression",
)
