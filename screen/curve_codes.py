"""Reason codes of dose response curves; `screen.codes` reads them."""

# name | outcome | exit code | meaning | remedy
CURVE_CODES = """
CURVE_FEW_DOSES | WARN | COMPLETE | fewer distinct doses than a curve needs (curves.min_doses) | test the compound at more doses
CURVE_FEW_WELLS | WARN | COMPLETE | as many numbers in the curve as wells | add replicates, or curves.models=[logistic3]
CURVE_NOT_FINITE | WARN | COMPLETE | a read-out of the series is infinite | look at the wells of the compound
CURVE_CONSTANT | WARN | COMPLETE | every well of the series reads the same | check the read-out: real wells scatter
CURVE_FLAT | WARN | COMPLETE | no curve beats no effect (curves.alpha) | none needed; more replicates show smaller effects
CURVE_BELL | WARN | COMPLETE | the response falls back at higher doses, and too few doses are left below | test lower doses
CURVE_TOXIC | WARN | COMPLETE | too few doses are left below those that kill | test lower doses
BELL_CUT | WARN | COMPLETE | the curve rests on the doses up to the peak of a bell | look at the higher doses by eye
TOXIC_CUT | WARN | COMPLETE | the curve rests on the doses below those that kill | read it beside the curve of the cell number
GR_SLOW | WARN | COMPLETE | the vehicle grew by less than one doubling: growth rates are unstable | let the assay run longer
PLATEAU_OPEN | WARN | COMPLETE | fewer than two doses on a plateau of the curve: its EC50 leans on the model | test wider doses
"""
