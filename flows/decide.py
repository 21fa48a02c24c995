"""The stages that decide: pairs, judgments, filters, splits."""

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from annotate.inquiry import Inquiry, judgment_ids
from annotate.judge import Judge
from annotate.judging import judge_pairs
from annotate.ledger import Ledger
from annotate.task import TaskSpec
from contracts import plugins
from contracts.errors import RecipeError, SetupError
from contracts.ids import digest
from contracts.joins import among, attach
from filters import chain, comparisons
from filters.cmos_to_preference import labels as preferences
from flows.books import Books, count, reasons_of
from flows.gather import candidate_literals, current_facts, current_recordings, current_samples
from flows.pipeline import Build, Stage
from flows.settings import Settings
from splits.assign import assign
from splits.groups import leakage_groups
from splits.leakage import LeakageProof, prove
from synth.pairs import pairs

_FAILED = "failures@judgments"


def _pairs(build: Build) -> Books:
    samples = current_samples(build)
    made = pairs(samples, seed=build.recipe.seed, kinds=build.recipe.pair_kinds)
    build.tables.replace("pairs", made.sort_by("pair_id"))
    per_prompt = count(samples["prompt_id"])
    possible = sum(n * (n - 1) // 2 for n in per_prompt.values())
    return Books(
        stage="pairs",
        unit="possible pairs",
        rows_in=possible,
        rows_out=made.num_rows,
        dropped={"kind_not_wanted": possible - made.num_rows} if possible > made.num_rows else {},
    )


def ledger_path(build: Build) -> Path:
    """Return where the ledger of a build lies.

    Raises:
        SetupError: the workspace is no local folder and no ledger is configured.
    """
    configured = Settings().ledger
    if configured:
        return Path(configured)
    if not build.workspace.is_local:
        raise SetupError(
            f"workspace {build.workspace.url} is not on a local disk: set UNISRM_LEDGER to a local file for the ledger"
        )
    return build.workspace.local_path("ledger.sqlite")


@contextlib.contextmanager
def open_ledger(build: Build) -> Iterator[Ledger]:
    """Open the ledger of a build."""
    path = ledger_path(build)
    path.parent.mkdir(parents=True, exist_ok=True)
    with Ledger(path) as ledger:
        yield ledger


def judge_requests(build: Build) -> pa.Table:
    """Return what the judge is told about each pair: ``pair_id, text, language, audio_*, reference_audio_id``, facts."""
    samples, facts = current_samples(build), current_facts(build)
    table = build.tables.read("pairs").sort_by("pair_id")
    prompts = build.tables.read("prompts")
    table = attach(
        table, "prompt_id", prompts, "prompt_id", {name: name for name in ("text", "language", "reference_utterance_id")}
    )
    table = attach(
        table, "reference_utterance_id", current_recordings(build), "utterance_id", {"reference_audio_id": "audio_id"}
    )
    for side in ("a", "b"):
        table = attach(table, f"sample_{side}", samples, "sample_id", {f"audio_{side}": "audio_id"})
        names = {f"{name}_{side}": name for name in facts.column_names if name != "sample_id"}
        table = attach(table, f"sample_{side}", facts, "sample_id", names)
    return table


def task_and_judge(build: Build) -> tuple[TaskSpec, Judge]:
    """Return the recipe's task and judge, configured."""
    wish = build.recipe.judge
    return plugins.configure("task", wish.task), plugins.configure("judge", wish.name, wish.options)


def _judgments(build: Build) -> Books:
    task, judge = task_and_judge(build)
    requests = judge_requests(build)
    ids = judgment_ids(requests, task=task, judge=judge)
    requests = requests.append_column("judgment_id", ids)
    failed_before = build.tables.read(_FAILED, ["row_id"])["row_id"]
    open_ids = build.tables.missing("judgments", ids)
    open_ids = open_ids.filter(pc.invert(pc.is_in(open_ids, value_set=failed_before)))
    todo = among(requests, "judgment_id", open_ids)
    build.progress.start("judgments", todo.num_rows)
    if todo.num_rows:
        with open_ledger(build) as ledger:
            for outcome in judge_pairs(
                todo, task=task, judge=judge, ledger=ledger, clips=build.blobs, budget_usd=build.recipe.judge.budget_usd
            ):
                build.tables.append("judgments", outcome.rows)
                build.tables.append(_FAILED, outcome.failures)
                build.progress.advance(outcome.rows.num_rows + outcome.failures.num_rows, outcome.failures.num_rows)
        build.tables.compact("judgments")
        build.tables.compact(_FAILED)
    build.progress.end()
    return judgment_books(build)


def _judgment_ids(build: Build) -> pa.Array:
    task, judge = task_and_judge(build)
    return judgment_ids(judge_requests(build), task=task, judge=judge)


def judgment_books(build: Build) -> Books:
    """Count the judgments."""
    ids = _judgment_ids(build)
    done = among(build.tables.read("judgments", ["judgment_id"]), "judgment_id", ids)
    return Books(
        stage="judgments",
        unit="pairs",
        rows_in=len(ids),
        rows_out=done.num_rows,
        failed=reasons_of(build.tables.read(_FAILED), ids),
    )


def current_judgments(build: Build) -> pa.Table:
    """Return the rows of ``judgments`` that this recipe's judge gave on this recipe's pairs."""
    return among(build.tables.read("judgments"), "judgment_id", _judgment_ids(build))


def _filters(build: Build) -> Books:
    judgments = current_judgments(build)
    compared = comparisons.join(
        pairs=build.tables.read("pairs"),
        samples=current_samples(build),
        judgments=judgments,
        facts=current_facts(build),
        prompts=build.tables.read("prompts"),
        votes=build.tables.read("votes"),
    )
    rules = [(rule.name, plugins.configure("filter", rule.name, rule.options)) for rule in build.recipe.filters]
    names = {name for name, _ in rules}
    by_votes = "cmos_to_preference" in names
    if not by_votes and "tied_totals" not in names:
        rules.insert(0, ("tied_totals", plugins.configure("filter", "tied_totals")))  # a pair without a verdict has no label
    kept, drops = chain.apply(compared, rules)
    labels = _labels(build, kept, by_votes=by_votes)
    build.tables.replace("drops@filters", drops.sort_by("row_id"))
    build.tables.replace("labels", labels.sort_by("pair_id"))
    return Books(
        stage="filters", unit="pairs", rows_in=compared.num_rows, rows_out=labels.num_rows, dropped=count(drops["reason"])
    )


def _labels(build: Build, kept: pa.Table, *, by_votes: bool) -> pa.Table:
    """Label every kept pair: by its votes where the recipe converts votes to preferences, by its judgment elsewhere."""
    cast = build.tables.read("votes", ["vote_id", "pair_id"]).sort_by("vote_id").to_pylist() if by_votes else []
    votes_of: dict[str, list[str]] = {}
    for vote in cast:
        votes_of.setdefault(vote["pair_id"], []).append(vote["vote_id"])
    lists = pa.list_(pa.string())
    pairs_kept = kept["pair_id"].to_pylist()
    return pa.table(
        {
            "pair_id": kept["pair_id"],
            "label": preferences(kept["votes"]) if by_votes else kept["verdict"],
            "source": pa.repeat("votes" if by_votes else "judgment", kept.num_rows),
            "judgment_ids": pa.array([[] if by_votes else [judgment] for judgment in kept["judgment_id"].to_pylist()], lists),
            "vote_ids": pa.array([votes_of.get(pair, []) for pair in pairs_kept], lists),
        }
    )


def _splits(build: Build) -> Books:
    wish = build.recipe.splits
    prompts = build.tables.read("prompts")
    if absent := [name for name in wish.stratify_by if name not in prompts.column_names]:
        raise RecipeError(f"splits.stratify_by: prompts have no column {', '.join(absent)}")
    table = among(build.tables.read("pairs"), "pair_id", build.tables.read("labels", ["pair_id"])["pair_id"]).sort_by("pair_id")
    table = attach(table, "prompt_id", prompts, "prompt_id", {name: name for name in wish.stratify_by})
    table = attach(table, "group_id", leakage_groups(_leakage_keys(build)), "group_id", {"leakage_group": "leakage_group"})
    stratum = (
        pc.binary_join_element_wise(*[table[name] for name in wish.stratify_by], "/")
        if wish.stratify_by
        else pa.repeat("", len(table))
    )
    rows = pa.table({**{name: table[name] for name in ("pair_id", "group_id", "leakage_group")}, "stratum": stratum})
    targets: Mapping[str, float] = {str(split): number for split, number in (wish.fractions or wish.quotas or {}).items()}
    # What was assigned under the same wish stays where it is; another wish divides anew.
    previous = build.tables.read(splits_table(build))
    assigned, drops = assign(rows, targets, build.recipe.seed, previous)
    build.tables.replace("drops@splits", drops.sort_by("row_id"))
    build.tables.replace(splits_table(build), assigned.sort_by("pair_id"))
    proof(build)
    return Books(
        stage="splits", unit="pairs", rows_in=rows.num_rows, rows_out=assigned.num_rows, dropped=count(drops["reason"])
    )


def splits_table(build: Build) -> str:
    """Return the partition that holds the assignment under the recipe's present wish."""
    return f"splits@{digest([build.recipe.seed, build.recipe.splits.model_dump()])[:16]}"


def proof(build: Build) -> LeakageProof:
    """Prove that no two splits share a text or a recording.

    Raises:
        LeakageError: they do.
    """
    return prove(build.tables.read(splits_table(build)), _leakage_keys(build))


def _leakage_keys(build: Build) -> pa.Table:
    """Return all that could leak: texts, recordings, and their audio, so that one clip under two names is found too."""
    prompts, recordings = build.tables.read("prompts"), current_recordings(build)
    for role in ("target", "reference"):
        prompts = attach(prompts, f"{role}_utterance_id", recordings, "utterance_id", {f"{role}_audio_id": "audio_id"})
    return prompts


def _judged(build: Build) -> object:
    """Return all that decides the judgments beyond the tables: the rule, model, prompt and parameters are in the identity."""
    metrics = [metric.model_dump() for metric in build.recipe.metrics]
    return [candidate_literals(build), metrics, Inquiry.of(*task_and_judge(build)).identity]


DECIDING: tuple[Stage, ...] = (
    Stage(
        name="pairs",
        reads=("prompts", "samples", "drops@samples"),
        writes=("pairs",),
        settings=lambda build: [list(build.recipe.pair_kinds), candidate_literals(build)],
        run=_pairs,
    ),
    Stage(
        name="judgments",
        reads=("prompts", "recordings", "samples", "metrics", "pairs"),
        writes=("judgments", _FAILED),
        settings=_judged,
        run=_judgments,
        count=judgment_books,
    ),
    Stage(
        name="filters",
        reads=("prompts", "samples", "metrics", "pairs", "judgments", "votes"),
        writes=("labels", "drops@filters"),
        settings=lambda build: [_judged(build), [rule.model_dump() for rule in build.recipe.filters]],
        run=_filters,
    ),
    Stage(
        name="splits",
        reads=("prompts", "pairs", "labels", "recordings"),
        writes=("splits@*", "drops@splits"),
        settings=lambda build: build.recipe.splits.model_dump(),
        run=_splits,
    ),
)
