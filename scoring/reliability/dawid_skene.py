"""The labels of pairs by the model of Dawid and Skene: each annotator has errors of their own.

Source: Dawid and Skene 1979, "Maximum Likelihood Estimation of Observer Error-Rates Using the EM Algorithm", Applied Statistics
28(1). Start, steps and end are those of the class ``DawidSkene`` of crowd-kit 1.4 (shares of votes; M step of error matrices; E
step by logarithms; until the evidence lower bound per vote gains less than a tolerance). That package is not used: it installs
``transformers`` and ``nltk``.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

_LEAST: Final = 1e-10

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class DawidSkene:
    """What the model finds.

    Attributes:
        probabilities: of each label, per task, shape (tasks, labels).
        errors: chance that an annotator says a label (second axis) where another one is true (third), shape (annotators,
            labels, labels).
        priors: share of each label, shape (labels,).
        steps: EM steps that were made.
    """

    probabilities: Floats
    errors: Floats
    priors: Floats
    steps: int

    @property
    def labels(self) -> Ints:
        """The most probable label per task, the first of equal ones."""
        found: Ints = self.probabilities.argmax(axis=1)
        return found


def dawid_skene(
    tasks: Ints, annotators: Ints, labels: Ints, *, kinds: int, steps: int = 100, tolerance: float = 1e-5
) -> DawidSkene:
    """Fit the model to votes.

    Args:
        tasks: number of the task of each vote, from 0; every number up to the largest has a vote.
        annotators: number of the annotator of each vote, likewise.
        labels: label of each vote, from 0 to ``kinds - 1``.
        kinds: number of labels.
        steps: most EM steps.
        tolerance: gain of the evidence lower bound per vote below which it ends.

    Raises:
        ValueError: there is no vote.
    """
    if not tasks.size:
        raise ValueError("Dawid and Skene's model needs votes")
    sizes = int(tasks.max()) + 1, int(annotators.max()) + 1
    said = annotators * kinds + labels
    found = np.bincount(tasks * kinds + labels, minlength=sizes[0] * kinds).reshape(-1, kinds).astype(np.float64)
    found /= found.sum(axis=1, keepdims=True)
    priors, errors = found.mean(axis=0), _errors(tasks, said, found, sizes[1], kinds)
    bound, step = -np.inf, 0
    while step < steps:
        found = _expected(tasks, said, priors, errors, sizes[0])
        priors, errors = found.mean(axis=0), _errors(tasks, said, found, sizes[1], kinds)
        step += 1
        gained = _lower_bound(tasks, said, found, priors, errors) / len(tasks)
        if gained - bound < tolerance:
            break
        bound = gained
    return DawidSkene(probabilities=found, errors=errors, priors=priors, steps=step)


def _errors(tasks: Ints, said: Ints, found: Floats, annotators: int, kinds: int) -> Floats:
    """Return the error matrices that fit the labels best (M step)."""
    columns = [np.bincount(said, weights=found[tasks, kind], minlength=annotators * kinds) for kind in range(kinds)]
    counts = np.clip(np.stack(columns, axis=1).reshape(annotators, kinds, kinds), _LEAST, None)
    errors: Floats = counts / counts.sum(axis=1, keepdims=True)
    return errors


def _expected(tasks: Ints, said: Ints, priors: Floats, errors: Floats, size: int) -> Floats:
    """Return the probabilities of the labels (E step)."""
    logs = np.log(errors.reshape(-1, errors.shape[2]))
    columns = [np.bincount(tasks, weights=logs[said, kind], minlength=size) for kind in range(errors.shape[2])]
    likely = np.stack(columns, axis=1) + np.log(np.clip(priors, _LEAST, None))
    scaled = np.exp(likely - likely.max(axis=1, keepdims=True))
    found: Floats = scaled / scaled.sum(axis=1, keepdims=True)
    return found


def _lower_bound(tasks: Ints, said: Ints, found: Floats, priors: Floats, errors: Floats) -> float:
    """Return the evidence lower bound, with the prior once a vote, as crowd-kit counts it."""
    logs = np.log(errors.reshape(-1, errors.shape[2]))[said] + np.log(np.clip(priors, _LEAST, None))
    certain = np.clip(found, _LEAST, None)
    return float((found[tasks] * logs).sum() - (np.log(certain) * certain).sum())
