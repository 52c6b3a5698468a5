"""Structures for virtual compounds: scaffolds joined to substituents, all distinct."""

import numpy as np

SCAFFOLDS = {
    "benzamide": "O=C(N{a})c1ccc({b})cc1",
    "quinazoline": "c1c({b})cc2c(c1)ncnc2N{a}",
    "indole": "c1c({b})cc2c(c1)[nH]cc2CC(=O)N{a}",
    "pyrimidine": "c1c({b})cnc(n1)N{a}",
    "benzimidazole": "c1c({b})cc2c(c1)nc([nH]2)C(=O)N{a}",
    "sulfonamide": "O=S(=O)(N{a})c1ccc({b})cc1",
    "thiazole": "c1c({b})nc(s1)NC(=O){a}",
    "coumarin": "O=C(N{a})c1cc2cc({b})ccc2oc1=O",
    "quinoline": "c1c({b})cc2c(c1)nccc2N{a}",
    "phenylurea": "O=C(N{a})Nc1ccc({b})cc1",
    "phenylacetamide": "O=C(Cc1ccc({b})cc1)N{a}",
    "piperazine": "O=C({a})N1CCN(CC1)c1ccc({b})cc1",
}
TAILS = (
    "C(C)C",
    "C3CC3",
    "C3CCCCC3",
    "Cc3ccccc3",
    "Cc3ccncc3",
    "c3ccc(F)cc3",
    "CCN3CCOCC3",
    "c3cccc(Cl)c3",
    "CCc3ccc(O)cc3",
    "Cc3ccco3",
    "c3ccc(OC)c(OC)c3",
    "C3CCN(C)CC3",
)
HEADS = (
    "F",
    "Cl",
    "Br",
    "C",
    "OC",
    "C(F)(F)F",
    "C#N",
    "N(C)C",
    "S(C)(=O)=O",
    "OC(F)(F)F",
)


def draw_structures(n: int, rng: np.random.Generator) -> list[tuple[str, str]]:
    """Return `n` distinct (name, SMILES) pairs in random order.

    Raises ValueError when more are asked for than scaffolds and substituents make.
    """
    n_all = len(SCAFFOLDS) * len(TAILS) * len(HEADS)
    if n > n_all:
        raise ValueError(f"at most {n_all} virtual compounds can be made: {n}")
    names = tuple(SCAFFOLDS)
    pairs = []
    for index in rng.permutation(n_all)[:n].tolist():
        rest, head = divmod(index, len(HEADS))
        scaffold, tail = divmod(rest, len(TAILS))
        name = names[scaffold]
        smiles = SCAFFOLDS[name].format(a=TAILS[tail], b=HEADS[head])
        pairs.append((f"{name} {tail + 1}-{head + 1}", smiles))
    return pairs
