"""Fréchet distance against scipy's matrix square root and the closed form of diagonal Gaussians."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.linalg import sqrtm

from scoring.frechet import Gaussian, fitted_gaussian, frechet_distance

FINITE = st.floats(-100, 100, width=32)


def embeddings(rows, dimensions=5):
    return arrays.arrays(np.float64, st.tuples(st.integers(2, rows), st.just(dimensions)), elements=FINITE)


def draw(seed, rows, dimensions):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(rows, dimensions)) @ rng.normal(size=(dimensions, dimensions)) + rng.normal(size=dimensions)


def test_as_with_scipys_square_root():
    """The definition, with covariances of full rank."""
    one, other = draw(1, 60, 8), draw(2, 90, 8)
    first, second = np.cov(one, rowvar=False), np.cov(other, rowvar=False)
    root = sqrtm(first @ second)
    assert np.abs(np.imag(root)).max() < 1e-9
    expected = np.sum((one.mean(0) - other.mean(0)) ** 2) + np.trace(first + second - 2 * np.real(root))
    assert frechet_distance(fitted_gaussian(one), fitted_gaussian(other)) == pytest.approx(expected, rel=1e-10)


def test_few_embeddings_are_the_limit_of_regular_covariances():
    """Four embeddings in 128 dimensions: scipy's value with a ridge, which shrinks, tends to ours."""
    one, other = draw(3, 4, 128), draw(4, 500, 128)
    distance = frechet_distance(fitted_gaussian(one), fitted_gaussian(other))
    first, second = np.cov(one, rowvar=False), np.cov(other, rowvar=False)
    wide = np.sum((one.mean(0) - other.mean(0)) ** 2) + np.trace(first + second)
    errors = []
    for ridge in (1e-2, 1e-4, 1e-6):
        root = sqrtm((first + ridge * np.eye(128)) @ (second + ridge * np.eye(128)))
        errors.append(abs(wide - 2 * np.trace(np.real(root)) - distance) / distance)
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 1e-4


@given(arrays.arrays(np.float64, (4, 6), elements=st.floats(0, 10, width=32)))
def test_diagonal_gaussians_have_a_closed_form(numbers):
    """Sum of the squared differences of means and of standard deviations."""
    mean, deviation, other_mean, other_deviation = numbers
    distance = frechet_distance(Gaussian(mean, np.diag(deviation)), Gaussian(other_mean, np.diag(other_deviation)))
    expected = np.sum((mean - other_mean) ** 2) + np.sum((deviation - other_deviation) ** 2)
    assert distance == pytest.approx(expected, rel=1e-9, abs=1e-9)


@given(embeddings(9), embeddings(9), arrays.arrays(np.float64, 5, elements=FINITE))
def test_it_is_a_distance_of_shapes_and_places(one, other, shift):
    """Symmetric, nothing to itself, the same wherever both lie; moving one alone by s from equal ones costs |s|²."""
    first, second = fitted_gaussian(one), fitted_gaussian(other)
    distance = frechet_distance(first, second)
    scale = 1e-8 * (1 + np.sum(one**2) + np.sum(other**2) + np.sum(shift**2))
    assert distance >= 0
    assert distance == pytest.approx(frechet_distance(second, first), abs=scale)
    assert frechet_distance(first, first) == pytest.approx(0, abs=scale)
    assert frechet_distance(fitted_gaussian(one + shift), fitted_gaussian(other + shift)) == pytest.approx(distance, abs=scale)
    assert frechet_distance(first, fitted_gaussian(one + shift)) == pytest.approx(np.sum(shift**2), abs=scale)


@given(embeddings(9))
def test_the_factor_gives_the_unbiased_covariance(rows):
    """As NumPy's."""
    fitted = fitted_gaussian(rows)
    assert np.allclose(fitted.factor.T @ fitted.factor, np.cov(rows, rowvar=False), atol=1e-6)
    assert np.allclose(fitted.mean, rows.mean(axis=0))


@pytest.mark.parametrize("rows", [np.zeros((1, 3)), np.zeros((0, 3)), np.zeros(3)])
def test_one_embedding_has_no_covariance(rows):
    with pytest.raises(ValueError, match="two embeddings"):
        fitted_gaussian(rows)


def test_other_dimensions_are_refused():
    with pytest.raises(ValueError, match="3 and of 4"):
        frechet_distance(fitted_gaussian(np.eye(3)), fitted_gaussian(np.eye(4)))
