"""Few-shot examples of a release: pairs of another split, drawn by seed, the same for all items (SpeechJudge, Table 7)."""

from annotate.models.few_shot_examples import FewShotExample
from annotate.models.released_task import RELEASED_AS
from annotate.models.task import TaskSpec
from contracts.errors import RecipeError
from contracts.joins import taken
from contracts.rng import hash_fraction
from flows.benchmark.released_items import OpenRelease, ReleasedItems


def draw_examples(
    release: OpenRelease, items: ReleasedItems, task: TaskSpec, *, shots: int, split: str, seed: int
) -> tuple[list[FewShotExample], ReleasedItems]:
    """Return so many examples, and their rows.

    Args:
        release: the release.
        items: the items that are judged.
        task: the task, about pairs.
        shots: how many examples.
        split: where they are drawn: another split than that of the items.
        seed: of the draw.

    Raises:
        RecipeError: the task is not about pairs, the split is that of the items, or it has too few complete pairs.
    """
    if task.subject != "pairs":
        raise RecipeError(f"--shots: task {task.name} is about {task.subject}: examples are of pairs")
    if not release.are_apart(split, items.split):
        raise RecipeError(f"--shots-from {split}: examples must not come from the split that is judged, or share clips with it")
    drawn = release.items(items.configuration, split)
    needed = {name: RELEASED_AS.get(name, name) for name in (*task.shown, *task.audios.values())}
    columns = {name: drawn.rows[released].to_pylist() for name, released in needed.items()}
    complete = [row for row in range(len(drawn.ids)) if all(values[row] for values in columns.values())]
    if len(complete) < shots:
        raise RecipeError(
            f"{drawn} has {len(complete)} pairs with all that task {task.name} shows, and --shots asks for {shots}"
        )
    chosen = sorted(complete, key=lambda row: hash_fraction(seed, "bench_shots", drawn.ids[row]))[:shots]
    examples = [
        FewShotExample(
            shown={name: columns[name][row] for name in task.shown},
            audios={name: columns[name][row] for name in task.audios.values()},
            label="a" if drawn.truth[row] > 0 else "b",
        )
        for row in chosen
    ]
    rows = taken(drawn.rows, chosen)
    return examples, ReleasedItems(
        release=drawn.release, configuration=drawn.configuration, split=split, about=drawn.about, rows=rows
    )
