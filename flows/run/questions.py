"""Questions to judges: what a recipe asks language models or a rule, and asking what is missing."""

import contextlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from annotate.models.inquiry import Inquiry
from annotate.models.judging import judge_rows
from annotate.models.ledger.ledger import Ledger
from annotate.models.task import TaskSpec
from contracts.errors import SetupError, StorageError, UnisrmError
from contracts.joins import among, attach
from flows.recipe.sections import Role
from flows.run.context import RunContext
from flows.run.damage import forget_damaged
from flows.run.known import is_there, known_of, remember, require_there
from flows.run.pipeline import Build
from flows.run.question import Question, RoleQuestion, task_of
from flows.run.settings import Settings
from flows.run.wanted import table_of, want, wanted_rows
from storage.local_files import storage_errors
from synth.dialogues import histories


def ledger_place(context: RunContext) -> str:
    """Return the ledger of a run: a file or a PostgreSQL URL.

    Raises:
        SetupError: the workspace is no local folder and no ledger is configured.
    """
    configured = Settings().ledger
    if configured:
        return configured
    if not context.workspace.is_local:
        raise SetupError(
            f"workspace {context.workspace.url} is not on a local disk: set UNISRM_LEDGER to a local file or a "
            "postgresql:// URL"
        )
    return os.fspath(context.workspace.local_path("ledger.sqlite"))


def open_ledger(context: RunContext, *, paying: bool) -> Ledger:
    """Open the ledger of a run, or start its first one.

    Args:
        context: the run.
        paying: whether replies will be bought: then the workspace remembers the ledger, even an empty one.

    Raises:
        OtherDatabase: the one that the workspace used is gone, or another or an older one stands in its place.
        StorageError: it cannot be opened.
    """
    place = ledger_place(context)
    known = require_there(context, "ledger", place)
    if "://" not in place:
        with storage_errors(f"ledger {place}"):
            Path(place).parent.mkdir(parents=True, exist_ok=True)
    ledger = Ledger(place, account=context.account, known=known)
    try:
        if known is None and (paying or any(ledger.held().values())):
            remember(context, "ledger", ledger.identity, ledger.where, ledger.held())
    except BaseException:
        ledger.close()
        raise
    return ledger


def known_ledger(context: RunContext) -> Ledger | None:
    """Open the ledger of a build if there is one; never create it. Raises as ``open_ledger`` does."""
    return open_ledger(context, paying=False) if is_there(context, "ledger", ledger_place(context)) else None


def lost_ledger(context: RunContext) -> UnisrmError | None:
    """Return what is wrong with the ledger: gone, emptied, another one, an older copy, or unreadable; None if nothing is."""
    try:
        if known_of(context, "ledger") is None and not (context.workspace.is_local or Settings().ledger):
            return None  # no ledger was used, and none is configured
        if (ledger := known_ledger(context)) is not None:
            ledger.close()
    except (StorageError, SetupError) as error:
        return error
    return None


def note_replies(context: RunContext) -> None:
    """Remember how much the ledger holds now, so that an older copy of it is noticed."""
    with contextlib.suppress(StorageError):  # an error that is already being raised matters more
        if (ledger := known_ledger(context)) is not None:
            with ledger:
                held = ledger.held()
            remember(context, "ledger", ledger.identity, ledger.where, held)


def ask_missing(context: RunContext, stage: str, table: str, questions: Sequence[Question]) -> None:
    """Ask for the rows that are neither in the table nor among the stage's failures, and commit the answers as they arrive."""
    want(context, stage, [(question.ids, question.requests["subject_id"]) for question in questions])
    failures = f"failures@{stage}"
    for question in questions:
        forget_damaged(context, failures, question.ids)
    failed = context.tables.read(failures, ["row_id"])["row_id"]
    todo: list[tuple[Question, pa.Table]] = []
    for question in questions:
        open_ids = context.tables.missing(table, question.ids)
        open_ids = open_ids.filter(pc.invert(pc.is_in(open_ids, value_set=failed)))
        todo.append((question, question.requests.filter(pc.is_in(question.ids, value_set=open_ids))))
    left = sum(rows.num_rows for _, rows in todo)
    context.progress.start(stage, left)
    try:
        for question, rows in todo:
            if rows.num_rows:
                _ask(context, stage, table, question, rows)
    finally:
        if any(rows.num_rows and not question.judge.facts for question, rows in todo):
            note_replies(context)
    if left:
        context.tables.compact(table)
        context.tables.compact(failures)
    context.progress.end()


def _ask(context: RunContext, stage: str, table: str, question: Question, rows: pa.Table) -> None:
    for outcome in judge_rows(
        rows,
        task=question.task,
        judge=question.judge,
        stage=stage,
        open_ledger=lambda: open_ledger(context, paying=not question.judge.facts),
        clips=context.blobs,
        budget_usd=context.budget_usd,
        mode=question.mode,
        poll_s=question.poll_s,
        follows_up=question.follows_up,
    ):
        context.tables.append(table, outcome.rows)
        context.tables.append(f"failures@{stage}", outcome.failures)
        context.progress.advance(outcome.rows.num_rows + outcome.failures.num_rows, outcome.failures.num_rows)


def all_replies_stored(build: Build, stage: str, table: str, question: RoleQuestion) -> bool:
    """Tell whether no request need be sent: each missing row has failed, or the ledger has a reply to it."""
    done = build.tables.read(f"failures@{stage}", ["row_id"])["row_id"]
    left = build.tables.missing(table, question.ids)
    left = left.filter(pc.invert(pc.is_in(left, value_set=done)))
    rows = question.requests.filter(pc.is_in(question.ids, value_set=left))
    keys = {case.request.key for case in Inquiry.of(question.task, question.judge).cases(rows, complete=True)}
    if not keys:
        return True
    with contextlib.suppress(StorageError, SetupError):  # a lost ledger has no replies; it is reported by lost_ledger
        if (known := known_ledger(build)) is not None:
            with known as ledger:
                return keys <= ledger.replies(sorted(keys)).keys()
    return False


def roles_about(build: Build, *subjects: str) -> list[Role]:
    """Return the recipe's roles about rows of these tables, in order, without those that decide the texts."""
    tasks = [(role, task_of(role)) for role in build.recipe.writers]
    return [role for role, task in tasks if task.subject in subjects and not task.makes_texts]


def scripting_roles(build: Build) -> list[Role]:
    """Return the roles that decide which texts are spoken."""
    return [role for role in build.recipe.writers if task_of(role).makes_texts]


def prompt_requests(build: Build, prompts: pa.Table) -> pa.Table:
    """Return the requests about prompts: ``subject_id, text, language, setting, reference_text, emotion, history_text``."""
    utterances = build.tables.read("utterances")
    columns = ["prompt_id", "text", "language", "reference_text", "target_utterance_id", "reference_language"]
    table = attach(prompts.select(columns), "target_utterance_id", utterances, "utterance_id", {"emotion": "emotion"})
    if needs_history(build):
        past = history_of(build, prompts, utterances)
        table = attach(table, "prompt_id", past, "prompt_id", {"history_text": "history_text"})
    return table.drop_columns(["target_utterance_id"]).rename_columns({"prompt_id": "subject_id"})


def writing_questions(build: Build, only: Mapping[str, pa.Array]) -> list[RoleQuestion]:
    """Return the questions of the stage ``writings``; each role is shown what the roles before it wrote.

    Args:
        build: the build.
        only: task -> the prompts about which it is asked; those that are not named are asked about all prompts.
    """
    roles = roles_about(build, "prompts")
    if not roles:
        return []
    requests = prompt_requests(build, build.tables.read("prompts"))
    questions: list[RoleQuestion] = []
    for role in roles:
        asked = among(requests, "subject_id", only[role.task]) if role.task in only else requests
        question = RoleQuestion(role=role, requests=asked)
        found = _contents(among(build.tables.read(table_of("writings")), "writing_id", question.ids))
        requests = _with_contents(requests, "subject_id", question.task, found)
        questions.append(question)
    return questions


def with_writings(build: Build, table: pa.Table, key: str) -> pa.Table:
    """Attach what the recipe's roles wrote about the prompts in column ``key``; a column that is there keeps its meaning."""
    for number, role in enumerate(roles_about(build, "prompts")):
        table = _with_contents(table, key, task_of(role), writings(build, number))
    return table


def with_reviews(build: Build, table: pa.Table, number: int, task: TaskSpec) -> pa.Table:
    """Attach what one role wrote about the samples in column ``sample_id``, counted among those that review."""
    return _with_contents(table, "sample_id", task, _contents(wanted_rows(build, "reviews", number)))


def writings(build: Build, number: int) -> dict[str, dict[str, Any]]:
    """Return prompt -> content of what one role wrote, counted among those about prompts."""
    return _contents(wanted_rows(build, "writings", number))


def _with_contents(table: pa.Table, key: str, task: TaskSpec, found: Mapping[str, Mapping[str, Any]]) -> pa.Table:
    for name in task.gives:
        if name not in table.column_names:
            values = [_text(found.get(prompt, {}).get(name)) for prompt in table[key].to_pylist()]
            table = table.append_column(name, pa.array(values, pa.string()))
    return table


def _text(value: object) -> str | None:
    return value if isinstance(value, str) or value is None else json.dumps(value, ensure_ascii=False)


def _contents(rows: pa.Table) -> dict[str, dict[str, Any]]:
    """Return subject -> content."""
    pairs = zip(rows["subject_id"].to_pylist(), rows["content"].to_pylist(), strict=True)
    return {subject: json.loads(content) for subject, content in pairs}


def needs_history(build: Build) -> bool:
    """Tell whether any task plays or shows the turns before."""
    tasks = [task_of(role) for role in (*build.recipe.judges_of_pairs, *build.recipe.writers)]
    return any("history_audio_ids" in task.audios.values() or "history_text" in task.shown for task in tasks)


def history_of(build: Build, prompts: pa.Table, utterances: pa.Table) -> pa.Table:
    """Return the turns before each prompt's own (see ``synth.dialogues.histories``)."""
    return histories(prompts, utterances, longest=build.recipe.longest_history)
