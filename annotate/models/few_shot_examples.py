"""Few-shot examples: pairs whose better clip is known, before the question about another pair (SpeechJudge, appendix D.2).

Every request of a task with examples has the same ones: their texts and answers stand before the prompt, and their clips are
heard before those that are asked about.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

import pyarrow as pa

from annotate.models.task import TaskSpec, prompt_template, quoted_lines

_TEMPLATE: Final = "examples.en.jinja"


@dataclass(frozen=True, kw_only=True)
class FewShotExample:
    """A pair that a person, or whoever made the labels, has judged.

    Attributes:
        shown: columns that the task shows -> text.
        audios: columns with clips of the task -> audio id, or ids.
        label: the better clip.
    """

    shown: Mapping[str, str]
    audios: Mapping[str, str | list[str]]
    label: Literal["a", "b"]


def with_examples(task: TaskSpec, examples: Sequence[FewShotExample]) -> TaskSpec:
    """Return a task whose requests begin with examples; they need the columns that ``example_columns`` gives."""
    label_of = {column: label for label, column in task.audios.items()}
    made = [
        {
            "name": f"Example {number}",
            "shown": {name.replace("_", " "): quoted_lines(text) for name, text in example.shown.items()},
            "audios": [f"Example {number}, {label.format(n='1, 2, ...')}" for label in task.audios],
            "better": f"Example {number}, {label_of[f'audio_{example.label}']}",
        }
        for number, example in enumerate(examples, start=1)
    ]
    audios = {
        f"Example {number}, {label}": _column(number, column)
        for number in range(1, len(examples) + 1)
        for label, column in task.audios.items()
    }
    preface = prompt_template(_TEMPLATE).render(examples=made) + "\n\n"
    return replace(task, audios={**audios, **task.audios}, preface=preface)


def example_columns(examples: Sequence[FewShotExample], rows: int) -> dict[str, pa.Array]:
    """Return the columns with the examples' clips, the same ones in every row."""
    return {
        _column(number, column): pa.array([clips] * rows, pa.list_(pa.string()) if isinstance(clips, list) else pa.string())
        for number, example in enumerate(examples, start=1)
        for column, clips in example.audios.items()
    }


def _column(number: int, column: str) -> str:
    return f"example_{number}_{column}"
