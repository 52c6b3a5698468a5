"""Compounds likely to shine or to drive out a DNA stain are told; common drugs are not."""

import pytest
from rdkit import Chem

from plates.fluorophores import suspicion

SUSPECTS = {
    "furamidine": "NC(=N)c1ccc(cc1)-c1ccc(o1)-c1ccc(cc1)C(N)=N",
    "DAPI": "NC(=N)c1ccc(cc1)-c1cc2ccc(cc2[nH]1)C(N)=N",
    "Hoechst": "CN1CCN(CC1)c1ccc2[nH]c(nc2c1)-c1ccc2[nH]c(nc2c1)-c1ccc(O)cc1",
    "acridine orange": "CN(C)c1ccc2cc3ccc(cc3nc2c1)N(C)C",
    "ethidium": "CC[n+]1c(-c2ccccc2)c2cc(N)ccc2c2ccc(N)cc12",
    "sanguinarine": "C[n+]1cc2c3OCOc3ccc2c2ccc3cc4OCOc4cc3c12",
    "berberine": "COc1ccc2cc3-c4cc5OCOc5cc4CC[n+]3cc2c1OC",
    "fluorescein": "OC(=O)c1ccccc1C1=C2C=CC(=O)C=C2Oc2cc(O)ccc12",
    "doxorubicin": "COc1cccc2C(=O)c3c(O)c4CC(O)(CC(OC5CC(N)C(O)C(C)O5)c4c(O)c3C(=O)c12)C(=O)CO",
    "mitoxantrone": "OCCNCCNc1ccc(NCCNCCO)c2C(=O)c3c(O)ccc(O)c3C(=O)c12",
    "methylene blue": "CN(C)c1ccc2nc3ccc(cc3[s+]c2c1)N(C)C",
    "camptothecin": "CCC1(O)C(=O)OCc2c1cc1-c3nc4ccccc4cc3Cn1c2=O",
    "ellipticine": "Cc1c2ccncc2c(C)c2c1[nH]c1ccccc12",
    "riboflavin": "Cc1cc2nc3c(=O)[nH]c(=O)nc-3n(CC(O)C(O)C(O)CO)c2cc1C",
    "curcumin": "COc1cc(C=CC(=O)CC(=O)C=Cc2ccc(O)c(OC)c2)ccc1O",
    "umbelliferone": "O=c1ccc2ccc(O)cc2o1",
    "BODIPY": "CC1=CC(C)=[N+]2C1=Cc1c(C)cc(C)n1[B-]2(F)F",
    "coronene": "c1cc2ccc3ccc4ccc5ccc6ccc1c1c2c3c4c5c61",
}
OTHERS = {
    "aspirin": "CC(=O)Oc1ccccc1C(O)=O",
    "tacrine": "Nc1c2CCCCc2nc2ccccc12",
    "etoposide": "COc1cc(cc(OC)c1O)C1C2C(COC2=O)C(OC2OC3COC(C)OC3C(O)C2O)c2cc3OCOc3cc12",
    "warfarin": "CC(=O)CC(c1ccccc1)c1c(O)c2ccccc2oc1=O",
    "imatinib": "Cc1ccc(NC(=O)c2ccc(CN3CCN(C)CC3)cc2)cc1Nc1nccc(n1)-c1cccnc1",
    "chloroquine": "CCN(CC)CCCC(C)Nc1ccnc2cc(Cl)ccc12",
    "chlorpromazine": "CN(C)CCCN1c2ccccc2Sc2ccc(Cl)cc12",
    "benzamidine": "NC(=N)c1ccccc1",
    "one amidine, one amide": "NC(=N)c1ccc(cc1)-c1ccc(o1)-c1ccc(cc1)C(N)=O",
    "dexamethasone": "CC1CC2C3CCC4=CC(=O)C=CC4(C)C3(F)C(O)CC2(C)C1(O)C(=O)CO",
}


@pytest.mark.parametrize("name", SUSPECTS)
def test_dyes_and_dna_binders_are_told_by_structure(name: str) -> None:
    assert suspicion(Chem.MolFromSmiles(SUSPECTS[name]))


@pytest.mark.parametrize("name", OTHERS)
def test_common_drugs_are_not_suspected(name: str) -> None:
    assert suspicion(Chem.MolFromSmiles(OTHERS[name]), name) == ""


@pytest.mark.parametrize(
    "name", ["Furamidine dihydrochloride", "DAPI", "Doxorubicin HCl"]
)
def test_without_a_structure_the_name_tells(name: str) -> None:
    assert suspicion(None, "CMPD-1", name)
    assert suspicion(None, "CMPD-1") == ""


@pytest.mark.parametrize("name", ["ranitidine", "dapivirine", "dapiprazole"])
def test_a_part_of_a_name_is_no_name(name: str) -> None:
    assert suspicion(None, name) == ""
