"""Fréchet distance between Gaussians that are fitted to two sets of embeddings (Dowson & Landau 1982).

Covariances of a few embeddings in many dimensions are singular, where the square root of their product is badly conditioned.
A covariance is therefore kept as a factor F with F'F = C. The trace of sqrt(C1 C2) is then the sum of the singular values of
F1 F2', and no square root of a matrix is taken.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Gaussian:
    """A Gaussian over embeddings.

    Attributes:
        mean: shape (d,).
        factor: shape (r, d); its transpose times itself is the covariance.
    """

    mean: Floats
    factor: Floats


def fitted_gaussian(embeddings: npt.NDArray[np.floating]) -> Gaussian:
    """Return the Gaussian with the mean and the unbiased covariance of embeddings.

    Args:
        embeddings: shape (n, d).

    Raises:
        ValueError: fewer than two embeddings, which have no covariance.
    """
    rows = np.asarray(embeddings, np.float64)
    if rows.ndim != 2 or len(rows) < 2:
        raise ValueError(f"a covariance needs two embeddings or more, shape (n, d); these have the shape {rows.shape}")
    mean = rows.mean(axis=0)
    # The triangle of the QR decomposition has the same product with itself, and never more than d rows.
    triangle = np.linalg.qr((rows - mean) / np.sqrt(len(rows) - 1), mode="r")
    return Gaussian(mean, np.asarray(triangle, np.float64))


def frechet_distance(one: Gaussian, other: Gaussian) -> float:
    """Return |m1 - m2|² + tr(C1 + C2 - 2 sqrt(C1 C2)), which is what FAD and FID call the distance: it is a square.

    Raises:
        ValueError: the Gaussians have different dimensions.
    """
    if one.mean.shape != other.mean.shape:
        raise ValueError(f"embeddings of {one.mean.size} and of {other.mean.size} dimensions cannot be compared")
    cross = np.linalg.svd(one.factor @ other.factor.T, compute_uv=False).sum()
    apart = np.sum((one.mean - other.mean) ** 2)
    distance = apart + np.sum(one.factor**2) + np.sum(other.factor**2) - 2 * cross
    return max(0.0, float(distance))  # rounding may leave a little less than nothing of equal ones
