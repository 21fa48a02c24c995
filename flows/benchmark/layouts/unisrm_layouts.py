"""Tables of UniSRM: 1, 3 to 7 and 11."""

from collections.abc import Sequence
from typing import Final

from flows.benchmark.paper_tables import Column, Layout, average, figure, values_of
from flows.benchmark.results import Results

_PAPER: Final = "UniSRM"
_TEXT: Final = "Text Fidelity & Intelligibility"
_NATURAL: Final = "Naturalness & Audio Quality"
_ASPECTS: Final = {
    "Noise": "noise",
    "Distortion": "distortion",
    "Speed": "speed",
    "Continuity": "continuity",
    "Effort": "listening_effort",
    "Naturalness": "naturalness",
    "Overall": "overall",
}
_SETS: Final = {"bvcc": "BVCC", "somos_clean": "SOMOS-Clean", "somos_full": "SOMOS-Full", "somos": "SOMOS"}
_TASK2: Final = "quality"


def _dimensions(task: str, names: dict[str, str], **of: str) -> list[Column]:
    """Return a column for each dimension, and their mean."""
    columns = [
        Column(header=header, cell=figure("accuracy", task=task, dimension=name, **of)) for header, name in names.items()
    ]
    return [*columns, Column(header="AVG", cell=average(columns))]


def _overall(_results: Sequence[Results]) -> list[Column]:
    return [
        Column(header="T1 acc", cell=figure("accuracy", task="task1")),
        Column(header="T2 acc", cell=figure("bin_accuracy", task=_TASK2, scale="overall")),
        Column(header="T2 pcc", cell=figure("pearson", task=_TASK2, scale="overall"), is_percent=False),
        Column(header="T3-En acc", cell=figure("accuracy", task="task3", language="en")),
        Column(header="T3-Zh acc", cell=figure("accuracy", task="task3", language="zh")),
        Column(header="T4 acc", cell=figure("accuracy", task="task4")),
    ]


def _task1(_results: Sequence[Results]) -> list[Column]:
    names = {
        "Text": _TEXT,
        "Sim": "Speaker Similarity to Prompt Speech",
        "Expressiveness": "Prosody & Expressiveness Appropriateness",
        "Naturalness": _NATURAL,
    }
    return _dimensions("task1", names)


def _aspects(_results: Sequence[Results]) -> list[Column]:
    columns = [
        Column(header=header, cell=figure("pearson", task=_TASK2, scale=scale), is_percent=False)
        for header, scale in _ASPECTS.items()
    ]
    return [*columns, Column(header="AVG", cell=average(columns), is_percent=False)]


def _task3(_results: Sequence[Results]) -> list[Column]:
    names = {"Text": _TEXT, "Scenario": "Scenario Style Match", "Naturalness": _NATURAL}
    return [
        Column(header=f"{title} {column.header}", cell=column.cell)
        for title, language in (("English", "en"), ("Chinese", "zh"))
        for column in _dimensions("task3", names, language=language)
    ]


def _task4(_results: Sequence[Results]) -> list[Column]:
    names = {
        "Intent": "Intent Matching & Dialogue Act",
        "Sim": "Speaker Consistency",
        "Context": "Contextual Consistency",
        "Emotion": "Emotion & Prosody Match",
        "Naturalness": "Overall Naturalness",
    }
    return _dimensions("task4", names)


def _other_sets(results: Sequence[Results]) -> list[Column]:
    """Return two columns for each corpus whose clips are rated on one scale."""
    others = [one for one in results if len(values_of([one], "scale", "pearson")) == 1]
    found = {
        (one.of["corpus"], one.of["scale"]) for result in others for one in result.figures if {"corpus", "scale"} <= set(one.of)
    }
    columns = list[Column]()
    for corpus, scale in sorted(found, key=lambda key: (list(_SETS).index(key[0]) if key[0] in _SETS else len(_SETS), key)):
        title = f"{_SETS.get(corpus, corpus)} {scale}"
        of = {"corpus": corpus, "scale": scale}
        columns += [
            Column(header=f"{title} pcc", cell=figure("pearson", **of), is_percent=False),
            Column(header=f"{title} acc", cell=figure("bin_accuracy", **of)),
        ]
    return columns


def _evidence(_results: Sequence[Results]) -> list[Column]:
    return [
        Column(header="Task1", cell=figure("groundedness", task="task1"), is_percent=False),
        Column(header="Task3-En", cell=figure("groundedness", task="task3", language="en"), is_percent=False),
        Column(header="Task4", cell=figure("groundedness", task="task4"), is_percent=False),
    ]


LAYOUTS: Final = (
    Layout(paper=_PAPER, table="Table 1", title="all tasks", columns=_overall, spans=True),
    Layout(paper=_PAPER, table="Table 3", title="accuracy by dimension, Task 1", columns=_task1, spans=True),
    Layout(paper=_PAPER, table="Table 4", title="Pearson by aspect, Task 2", columns=_aspects, spans=True),
    Layout(paper=_PAPER, table="Table 5", title="accuracy by dimension, Task 3", columns=_task3, spans=True),
    Layout(paper=_PAPER, table="Table 6", title="accuracy by dimension, Task 4", columns=_task4, spans=True),
    Layout(paper=_PAPER, table="Table 7", title="other rated data sets", columns=_other_sets, spans=True),
    Layout(paper=_PAPER, table="Table 11", title="evidence groundedness, 0 to 2", columns=_evidence, spans=True),
)
