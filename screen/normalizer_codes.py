"""Reason codes of normalisation: why a method is refused on a plate; `screen.codes` reads them."""

# name | outcome | exit code | meaning | remedy
NORMALIZER_CODES = """
HIT_SHARE_HIGH | WARN | COMPLETE | more samples of the plate may be active than a correction by samples bears | scatter vehicle wells, or decision.normalizer=auto
DOSE_ALIASED | WARN | COMPLETE | doses follow rows or columns, so a positional correction would erase the dose effect | randomise doses over the plate
CONTROLS_NOT_SCATTERED | WARN | COMPLETE | the vehicle wells do not cover the plate, so they tell no surface over it | scatter twelve vehicle wells or more
PLACE_EFFECT_NONE | WARN | COMPLETE | the plates show no effect of place that would be worth its own error | none needed
LAYOUT_FIXED | WARN | COMPLETE | treatments keep their places on all plates, so a place cannot be told from its treatment | lay replicate plates out anew
MAPS_FEW | WARN | COMPLETE | fewer than six layouts of samples tell what rows and columns read on all plates | lay samples out anew on replicate plates
PLATES_FEW | WARN | COMPLETE | fewer plates than well correction learns from | give six plates of a line and time or more
CONTROL_PLATE_NONE | WARN | COMPLETE | no plate holds vehicle alone | add a control plate
COUNT_UNRELATED | WARN | COMPLETE | the score of vehicle wells does not move with their cell number | none needed
CONTROL_NEAR_ZERO | WARN | COMPLETE | the vehicle's median may be 0, so nothing can be divided by it | use a scale with a positive control, or robust_z
SAMPLES_FEW | WARN | COMPLETE | too few samples to tell rows and columns from noise | use the vehicle's own scale
SPREAD_NONE | WARN | COMPLETE | the reference wells are all equal, so nothing can be divided by their spread | look at the values
MAD_COLLAPSED | WARN | COMPLETE | over half of the reference wells are equal; their mean deviation stands in for the MAD | look at the values
VALUES_NONE | WARN | COMPLETE | no well of the plate has a finite value | score the plate again
VALUES_NONFINITE | WARN | COMPLETE | a scored well has no finite value and is left out | score the well again
"""
