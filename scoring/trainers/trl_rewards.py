"""TRL: ``GRPOTrainer(..., reward_funcs=[unisrm_reward])`` on rows that ``unisrm-data release --export trl`` wrote."""

from collections.abc import Callable, Sequence
from typing import Any

from scoring.trainers.spec import reward_of, rewards_of


def unisrm_reward(
    prompts: Sequence[Any],
    completions: Sequence[Any],
    *,
    reward_spec: Sequence[str],
    log_metric: Callable[[str, float], None] | None = None,
    **columns: Any,
) -> list[float]:
    """Return the reward of each completion; what it is made of is logged as means, where TRL offers that.

    Args:
        prompts: not looked at.
        completions: texts or lists of messages.
        reward_spec: that column of the rows.
        log_metric: TRL's.
        columns: the other columns, and what else TRL passes.
    """
    del prompts, columns
    found = rewards_of(completions, reward_spec)
    if log_metric is not None:
        for name in dict.fromkeys(name for values in found for name in values):
            of_name = [values[name] for values in found if name in values]
            log_metric(f"unisrm/{name}", sum(of_name) / len(of_name))
    return [reward_of(values) for values in found]
