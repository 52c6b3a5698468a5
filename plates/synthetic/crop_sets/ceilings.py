"""The best that any reader of a virtual crop can do, from the model that made it.

Every figure is that of the Bayes rule for one crop of a group never seen: what groups
add is integrated out, what the rule knows are the true strengths.
"""

from collections.abc import Callable
from functools import cache
from math import erfc
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Rule = Callable[[Array], Array]
Told = Callable[[Array, Array], Array]

NODES = 400  # nodes of a Gauss-Legendre rule; more change no figure in the 3rd place
GRID = 4001  # ages on which a rule is worked out; between them it is linear
REACH_SD = 8.0  # integrals end so many sd from the outermost mean

_cdf = np.frompyfunc(lambda x: 0.5 * erfc(-x / 2**0.5), 1, 1)
_inverse = np.frompyfunc(NormalDist().inv_cdf, 1, 1)


def normal_cdf(x: Array) -> Array:
    """The standard normal distribution function, exact in the lower tail."""
    return np.asarray(_cdf(x), np.float64)


def two_normals(distance: float) -> tuple[float, float]:
    """Accuracy and AUC of the best rule between N(0, 1) and N(distance, 1), as frequent.

    Phi(d / 2) and Phi(d / sqrt 2); with several traits d is Mahalanobis' distance.
    """
    each = NormalDist()
    return each.cdf(distance / 2), each.cdf(distance / 2**0.5)


def distance(effect: Array, variance: Array) -> float:
    """Mahalanobis' distance of two classes `effect` apart, traits independent."""
    return float(np.sqrt(np.sum(effect**2 / variance)))


def classes_accuracy(means: Array, sd: float) -> tuple[float, Array]:
    """Accuracy of the best rule between k equally frequent classes N(means[k], sd^2 I)
    in the plane, and the share of each class that it gets right [k]."""
    low, high = means.min(0) - REACH_SD * sd, means.max(0) + REACH_SD * sd
    (y, wy), (x, wx) = (_rule(low[i], high[i]) for i in (0, 1))
    plane = np.stack(np.meshgrid(y, x, indexing="ij"), -1)
    gap = plane[None] - means[:, None, None]
    density = np.exp(-0.5 * (gap**2).sum(-1) / sd**2) / (2 * np.pi * sd**2)
    chosen = density.argmax(0)
    weight = wy[:, None] * wx[None]
    recall = np.array(
        [(weight * density[k] * (chosen == k)).sum() for k in range(len(means))]
    )
    return float(recall.mean()), recall


class AgeReader:
    """The best reader of an age, evenly spread over a range, that shows with noise.

    Given a shown age s the true one is N(s, sd^2) cut to the range: its median has the
    least mean absolute error, its mean the least squared error.
    """

    def __init__(self, youngest: float, oldest: float, sd: float) -> None:
        self.youngest, self.oldest, self.sd = youngest, oldest, sd

    def mean(self, shown: Array) -> Array:
        """Posterior mean age of each shown age."""
        return self._above(shown, self._mean)

    def median(self, shown: Array) -> Array:
        """Posterior median age of each shown age."""
        return self._above(shown, self._median)

    def mean_of_mixed(self, shown: Array, share: float, gap: float) -> Array:
        """Posterior mean age where a share of people shows `gap` years more, and the
        reader knows that but not who."""
        later = shown - gap
        usual, faster = (1 - share) * self._mass(shown), share * self._mass(later)
        told = usual * self.mean(shown) + faster * self.mean(later)
        return np.asarray(told / (usual + faster), np.float64)

    def _mean(self, shown: Array) -> Array:
        a, b = self._ends(shown)
        return shown + self.sd * (_density(a) - _density(b)) / self._mass(shown)

    def _mass(self, shown: Array) -> Array:
        # In whichever tail is exact: far beyond the range the other one is 1 - 1.
        a, b = self._ends(shown)
        lower = normal_cdf(b) - normal_cdf(a)
        return np.where(a > 0, normal_cdf(-a) - normal_cdf(-b), lower)

    def _median(self, shown: Array) -> Array:
        a, b = (normal_cdf(end) for end in self._ends(shown))
        return shown + self.sd * np.asarray(_inverse((a + b) / 2), np.float64)

    def _above(self, shown: Array, rule: Rule) -> Array:
        # Mirrored to the upper half, where both ends lie in the exact lower tail.
        centre = (self.youngest + self.oldest) / 2
        side = np.where(shown < centre, -1.0, 1.0)
        return centre + side * (rule(centre + side * (shown - centre)) - centre)

    def expect(self, rule: Rule, of: Told, gap: float = 0.0) -> Array:
        """Mean of of(age, rule(shown)) over the noise, one figure for each age of
        `ages`, where the body shows `gap` years more than its age."""
        ages, _ = self.ages()
        reach = REACH_SD * self.sd
        noise, weight = _rule(-reach, reach)
        weight = weight * _density(noise / self.sd) / self.sd
        grid = np.linspace(self.youngest - reach, self.oldest + gap + reach, GRID)
        shown = ages[:, None] + gap + noise[None]
        told = np.interp(shown, grid, rule(grid))
        return np.asarray((of(ages[:, None], told) * weight[None]).sum(1))

    def ages(self) -> tuple[Array, Array]:
        """Nodes of the ages and their weights, which sum to 1."""
        nodes, weights = _rule(self.youngest, self.oldest)
        return nodes, weights / (self.oldest - self.youngest)

    def _ends(self, shown: Array) -> tuple[Array, Array]:
        return (self.youngest - shown) / self.sd, (self.oldest - shown) / self.sd


def _density(x: Array) -> Array:
    return np.asarray(np.exp(-0.5 * x**2) / np.sqrt(2 * np.pi))


def _rule(low: float, high: float) -> tuple[Array, Array]:
    nodes, weights = _unit_rule()
    half = (high - low) / 2
    return low + half * (nodes + 1), half * weights


@cache
def _unit_rule() -> tuple[Array, Array]:
    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    return nodes, weights
