"""ms-swift: ``swift rlhf --rlhf_type grpo --external_plugins <this file> --reward_funcs unisrm``."""

from collections.abc import Sequence
from typing import Any

from swift.rewards import ORM, orms

from scoring.trainers.spec import reward_of, rewards_of


class UnisrmReward(ORM):  # type: ignore[misc]  # ms-swift ships no types
    """The reward that each row of an export names."""

    def __call__(self, completions: Sequence[str], reward_spec: Sequence[str], **columns: Any) -> list[float]:
        """Return the reward of each completion.

        Args:
            completions: texts.
            reward_spec: that column of the rows.
            columns: the other columns, and what else ms-swift passes.
        """
        del columns
        return [reward_of(values) for values in rewards_of(completions, reward_spec)]


orms["unisrm"] = UnisrmReward
