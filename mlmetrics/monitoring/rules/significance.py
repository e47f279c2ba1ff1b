"""How many scores a drift alert needs before chance can no longer raise it."""

from math import ceil, sqrt
from statistics import NormalDist

_CONFIDENCE = 0.95


def least_samples(psi: float, bins: int) -> int:
    """Return how many scores both sides need so that equal distributions stay under `psi` 95 times in 100.

    PSI of equal distributions is about χ² with `bins - 1` degrees of freedom, times 1/N + 1/M.
    """
    return ceil(2 * _chi_squared(bins - 1) / psi)


def _chi_squared(degrees: int) -> float:
    # Wilson and Hilferty's cube: within 1 % of the table from 2 degrees on, without a dependency.
    spread = 2 / (9 * degrees)
    return float(degrees * (1 - spread + NormalDist().inv_cdf(_CONFIDENCE) * sqrt(spread)) ** 3)
