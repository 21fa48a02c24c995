"""verl: ``reward.custom_reward_function.path=pkg://scoring.trainers.verl_rewards``, ``.name=compute_score``."""

from collections.abc import Mapping
from typing import Any

from contracts.errors import DataError
from scoring.trainers.spec import COLUMN, reward_of, rewards_of


def compute_score(
    data_source: str, solution_str: str, ground_truth: Any, extra_info: Mapping[str, Any] | None = None, **more: Any
) -> dict[str, float]:
    """Return the reward of one completion as ``score``, and what it is made of by name.

    Args:
        data_source: configuration of the release.
        solution_str: the completion.
        ground_truth: not looked at: the row in ``extra_info`` says more.
        extra_info: ``reward_spec`` among it.
        more: what else verl passes.

    Raises:
        DataError: there is no ``reward_spec``.
    """
    del ground_truth, more
    spec = (extra_info or {}).get(COLUMN)
    if spec is None:
        raise DataError(
            f"a row of {data_source} has no {COLUMN} in extra_info: was it written by unisrm-data release --export?"
        )
    (values,) = rewards_of([solution_str], [spec])
    return {"score": reward_of(values), **values}
