"""The works that methods text cites, by short key."""

from __future__ import annotations

REFERENCES = {
    "Zhang 1999": "Zhang JH, Chung TDY, Oldenburg KR. A simple statistical parameter for"
    " use in evaluation and validation of high throughput screening assays. J Biomol"
    " Screen 4:67-73, 1999.",
    "Zhang 2007": "Zhang XD. A pair of new statistical parameters for quality control in"
    " RNA interference high-throughput screening assays. Genomics 89:552-561, 2007.",
    "Benjamini 1995": "Benjamini Y, Hochberg Y. Controlling the false discovery rate: a"
    " practical and powerful approach to multiple testing. J R Stat Soc B 57:289-300,"
    " 1995.",
    "Benjamini 2001": "Benjamini Y, Yekutieli D. The control of the false discovery rate"
    " in multiple testing under dependency. Ann Stat 29:1165-1188, 2001.",
    "Efron 2004": "Efron B. Large-scale simultaneous hypothesis testing: the choice of a"
    " null hypothesis. J Am Stat Assoc 99:96-104, 2004.",
    "Smyth 2004": "Smyth GK. Linear models and empirical Bayes methods for assessing"
    " differential expression in microarray experiments. Stat Appl Genet Mol Biol 3:3,"
    " 2004.",
    "Bemis 1996": "Bemis GW, Murcko MA. The properties of known drugs. 1. Molecular"
    " frameworks. J Med Chem 39:2887-2893, 1996.",
    "Rogers 2010": "Rogers D, Hahn M. Extended-connectivity fingerprints. J Chem Inf"
    " Model 50:742-754, 2010.",
    "Fisher 1935": "Fisher RA. The logic of inductive inference. J R Stat Soc 98:39-82,"
    " 1935.",
    "Woolf 1955": "Woolf B. On estimating the relation between blood group and disease."
    " Ann Hum Genet 19:251-253, 1955.",
    "Guha 2008": "Guha R, Van Drie JH. Structure-activity landscape index: identifying and"
    " quantifying activity cliffs. J Chem Inf Model 48:646-658, 2008.",
    "Gower 1966": "Gower JC. Some distance properties of latent root and vector methods"
    " used in multivariate analysis. Biometrika 53:325-338, 1966.",
}
