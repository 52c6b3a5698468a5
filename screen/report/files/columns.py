"""What the columns of a workbook mean, and how their numbers are shown."""

from __future__ import annotations

INTEGER, TWO, DOSE, SMALL = "0", "0.00", "0.####", "0.0E+00"
_WIDE = {"why": 60, "smiles": 40, "parent_smiles": 40, "scaffold": 40, "reason": 50}
_WIDE |= {"name": 24, "compound": 16, "flags": 24, "codes": 20, "scale": 40}
_WIDE |= {"inchikey": 29, "inchikey_no_stereo": 29, "source_plate": 16, "class": 14}
_WIDE |= {"interference": 30, "interference_seen": 40, "by_hand_reason": 30}
_ENDS = {
    "_low": "lower end of the interval of",
    "_high": "upper end of the interval of",
}

FIRST = {
    "compounds": (
        "rank", "name", "compound", "class", "is_hit", "is_picked", "stage", "rescue",
        "rescue_low", "rescue_high", "q", "p", "robust_z", "best_concentration_um",
        "relative_count", "n_sen_ratio", "n_non_ratio", "n_wells", "n_replicates",
        "flags", "why", "smiles", "inchikey", "scaffold", "mol_weight", "logp", "qed",
        "alerts",
    ),
    "hits": (
        "plate", "well", "compound", "concentration_um", "role", "state", "status",
        "rescue", "rescue_low", "rescue_high", "robust_z", "relative_count", "n_cells",
        "score", "fraction", "codes", "flags",
    ),
    "plates": (
        "plate", "verdict", "reason", "z_prime", "z_prime_low", "z_prime_high",
        "robust_z_prime", "ssmd", "n_wells", "n_scored", "n_quarantined", "flags",
    ),
}  # fmt: skip
LEFT_OUT = {"doses"}  # nested; the file doses.csv has it by rows


def ordered(table: str, names: list[str]) -> list[str]:
    """The columns of a sheet: those a reader wants first, then all others."""
    first = [n for n in FIRST[table] if n in names]
    return first + [n for n in names if n not in {*first, *LEFT_OUT}]


def width(name: str) -> float:
    """A column's width in characters: enough for its heading and usual contents."""
    return _WIDE.get(name, min(max(len(name) + 4, 9), 24))


def number_format(name: str, *, is_integer: bool) -> str:
    """How a spreadsheet shows the numbers of a column."""
    if is_integer:
        return INTEGER
    if (
        name in ("p", "q")
        or name.startswith(("p_", "q_"))
        or name.endswith(("_p", "_q"))
    ):
        return SMALL
    return DOSE if name in ("concentration_um", "best_concentration_um") else TWO


def meaning(table: str, name: str) -> str:
    """What a column means; '' for one that nothing is known of."""
    known = _MEANINGS[table] | _SHARED
    if name in known:
        return known[name]
    if name.startswith("orthogonal_"):
        return "read-out of another assay that was given to the call"
    for end, words in _ENDS.items():
        base = name.removesuffix(end)
        if name.endswith(end) and base in known:
            return f"{words} {base}"
    return ""


def _read(text: str) -> dict[str, str]:
    lines = (line.split("|", 1) for line in text.strip().splitlines())
    return {name.strip(): words.strip() for name, words in lines}


_SHARED = _read("""
plate | plate, by its id or barcode
compound | compound, by its id in the plate map
line | cell line or donor
time_h | hours of treatment
flags | what to keep in mind, as codes (their list is in docs/codes.md)
robust_z | (x - median) / (1.4826 MAD) against the stressed vehicle, positive towards rescue
rescue | 0 = like the stressed vehicle, 1 = like the healthy vehicle
relative_count | cell number over that of the plate's stressed vehicle
background_z | brightness of the background against the vehicle, robust z
focus_z | sharpness against the vehicle, robust z
channel_z | brightness of the brightest channel against both vehicles, robust z
bright_channel | number of that channel
saturation_z | share of saturated pixels against both vehicles, robust z
off_axis_z | distance of the cells' look from the line between stressed and healthy
off_axis_p | p of that distance
n_wells | wells that belong to the row
""")
_MEANINGS = {
    "compounds": _read("""
rank | 1 = the strongest by the call
name | name in the library
class | what the cells did, judged on senescent and young cell numbers
is_hit | called a hit by the statistics
is_picked | a hit that nobody rejected by hand, or approved by hand
stage | primary, confirmed or validated
q | expected share of false calls among calls at least as strong as this one
p | chance of so strong an effect at any dose if the compound did nothing
q_rescue | the same as q, for the test of rescue alone
best_concentration_um | concentration with the strongest effect, in uM
n_doses | concentrations that were judged
n_replicates | wells at the best concentration
n_positions | different places of its wells on the plates
position | fixed = its replicates always lie at one place; varied = they do not
ssmd | strictly standardised mean difference from the stressed vehicle
q_count | q of the cell number's change
n_sen_ratio | number of senescent cells relative to the stressed vehicle
n_non_ratio | number of young cells relative to the stressed vehicle
effect_matched | effect less what vehicle wells of the same cell number show
p_matched | p of that effect
off_axis_q | q of the distance off the axis
interference_seen | what the pixels say against the compound
interference_agrees | pixels and structure both say that it shines
interference | what makes the structure or name a suspect of shining
lead | lead of the class over the next one, in chi-square
p_class | probability of the class
p_rescue | probability that it is a rescue
p_rescue_viable | probability of a rescue with cells enough left
selectivity_log2 | log2 of how much more senescent than young cells are lost
selectivity_low | lower end of the interval of selectivity_log2
selectivity_high | upper end of the interval of selectivity_log2
posterior | effect drawn towards the screen's mean by its uncertainty
rank_median | median of the rank over draws of the effects
rank_low | lower end of the interval of the rank
rank_high | upper end of the interval of the rank
why | the reason of the class, in words
smiles | structure as the library gives it
parent_smiles | structure without salt, neutral, as compared here
inchikey | InChIKey of the parent
inchikey_no_stereo | InChIKey of the parent without stereo
connectivity | first block of the InChIKey
parent_key | key by which salts of one parent are found
scaffold | Bemis-Murcko scaffold as SMILES; empty = no ring
formula | sum formula of the parent
mol_weight | mass of the parent, g/mol
logp | logP by Crippen
tpsa | topological polar surface, square angstrom
h_donors | hydrogen-bond donors
h_acceptors | hydrogen-bond acceptors
rotatable_bonds | rotatable bonds
qed | drug-likeness, 0 to 1 (Bickerton 2012)
is_salt | the library gives a salt
salt | what was taken off
marks | what the structure does not tell, such as stereo
alerts | structural alerts (PAINS, Brenk ...)
code | why there is no structure, as a code
reason | the same in words
library_id | id in the library
matched_by | how the library was searched: id, name, synonym ...
aliases | other compounds of the screen with the same parent
merged | compounds that this row stands for
p_mid | mid-p of the permutation test
p_least | least p that the permutation test can give
map | how well replicates find each other among vehicle wells, 0 to 1
map_p | p of map
map_q | q of map
n_removed | wells that quality control removed
n_not_put_back | of these, wells that have no number to put back
without_qc_class | class if they had stayed
without_qc_is_hit | whether it would be a hit then
by_hand | approved or rejected by a person
by_hand_reason | why, by whom and when
is_confirmed | confirmed by an orthogonal assay
"""),
    "hits": _read("""
well | well, row letter and column number
row | row, from 0
column | column, from 0
concentration_um | concentration in uM
role | vehicle, untreated, reference, treatment or no_cells
state | stressed or unstressed cells
replicate | number of the replicate
batch | plates made and imaged together
sample | vial of the compound
lot | lot of the compound
source_plate | library plate that the compound came from
source_well | well of that plate
status | SCORED, SCORED_DEGRADED, TEACHING, NO_CELLS, QUARANTINED or ABSENT
codes | why a well is not scored or only in part, as codes
n_cells | cells that were scored
n_fields | fields that were scored
n_fields_expected | fields that should be there
score | mean over cells of the probability to be senescent
score_sd | sd of that probability over cells
fraction | share of cells above the model's threshold
effect_shrunk | effect drawn towards its replicates by its error
learnt | the well taught the model, so it has no score
excluded | left out by hand: reason, person, day
field_flags | what is wrong with fields of the well
n_fields_flagged | how many fields that is
"""),
    "plates": _read("""
verdict | pass, undecided or fail, by the interval of Z'
reason | why, in words
z_prime | 1 - 3 (s1 + s2) / |m1 - m2| over the two vehicle groups
robust_z_prime | the same with median and 1.4826 MAD
ssmd | (m1 - m2) / sqrt(s1^2 + s2^2), healthy minus stressed
ssmd_umvue | SSMD, uniformly minimum variance unbiased
ssmd_robust | SSMD with median and MAD
signal_window_positive_sd | distance of the groups less 3 sd each, in sd of the healthy
signal_to_background_means | ratio of the means of the two groups
cv_positive | coefficient of variation of the healthy vehicle
cv_negative | coefficient of variation of the stressed vehicle
dynamic_range_means | difference of the two means
signal_to_noise | difference of the means over the sd of the stressed vehicle
quality_refused | why there is no quality number
ratios_refused | why there is no ratio
n_scored | wells that were scored
n_quarantined | wells that were set aside
n_no_cells | wells without a cell
n_absent | wells on the map that were not imaged
n_not_scored | wells still to be scored
n_learnt | wells that taught the model
n_without_value | wells that were scored but give no value
vehicle_count_median | median cell number of the stressed vehicle
n_healthy | wells of the healthy vehicle that make the scale
n_senescent | wells of the stressed vehicle that make the scale
senescent_median | median score of the stressed vehicle
healthy_median | median score of the healthy vehicle
scale | how the scale of the plate was made
edge_share | drift of the rim against the inside, share of the window
edge_p | p of that drift
row_share | drift over rows, share of the window
row_p | p of that drift
column_share | drift over columns, share of the window
column_p | p of that drift
gradient_share | drift across the plate, share of the window
gradient_p | p of that drift
z_prime_shrunken | Z' drawn towards the campaign's
z_prime_campaign_weight | weight of the campaign in it
drift | drift over the plates of the campaign
n_replicate_plates | plates with the same compounds
replicate_pearson | Pearson correlation with the replicate plates
replicate_spearman | Spearman correlation with them
replicate_concordance | Lin's concordance with them
normalizer | what was done about places on the plate
normalizer_reason | why
hit_share | share of treated wells that do something
hit_share_high | upper end of its interval
dose_alias | place on the plate that runs with the dose
control_layout | how the control wells lie
"""),
}
