"""What goes into a ledger and what comes out of it, beside replies; free of any database."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """What is known of a request before it is sent.

    Attributes:
        key: its key.
        judge: judge plug-in.
        model: the model requested.
        task: task plug-in.
        prompt_version: hash of the prompt template.
        row_id: the judgment or writing for which it was first sent.
        repeat: 0 for the first asking; asking once more has a key of its own.
    """

    key: str
    judge: str
    model: str
    task: str
    prompt_version: str
    row_id: str
    repeat: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Batch:
    """An open batch.

    Attributes:
        name: our name of it.
        batch_id: the provider's id; None = whether it was ever submitted is not known.
        judge: judge plug-in.
        model: the model requested.
        state: ``intended`` before the provider is known to have it, ``submitted`` after.
        size: how many requests it has.
    """

    name: str
    batch_id: str | None
    judge: str
    model: str
    state: Literal["intended", "submitted"]
    size: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Spend:
    """What an account owes for one task, judge and model, and what it got for it.

    Attributes:
        task: task plug-in.
        judge: judge plug-in.
        model: the model requested.
        replied: requests with a reply.
        failed: requests without one.
        input_tokens: tokens billed as input.
        output_tokens: tokens billed as output.
        cost_usd: what was spent, and the highest prices of all attempts without an answer.
    """

    task: str
    judge: str
    model: str
    replied: int
    failed: int
    input_tokens: int
    output_tokens: int
    cost_usd: float
