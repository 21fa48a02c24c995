"""Exporting a release: its rows, configuration by configuration, through an export plug-in into a folder."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from annotate.models.released_task import task_of_rows
from annotate.models.task import TaskSpec
from contracts import plugins
from contracts.errors import DataError, RecipeError
from flows.exports.ballots import COLUMNS, ballots_of
from flows.exports.examples import Composer
from flows.exports.named_release import NamedRelease
from flows.exports.rewards import NoReward, RowReward
from storage.columns import item_column
from storage.export import Example, Export, ExportedFile, Form, Selective, fault
from storage.export_folder import ExportFolder
from storage.local_files import new_folder
from storage.release_manifest import File
from storage.release_reader import read_shard, require_intact, rows_with_clips, schema_of

SUMMARY: Final = "export.json"
_TRAINING: Final = ("train", "sft", "rl")
"""Splits that models are trained on, as papers call them: a reward is fitted to their rows, whichever split is exported."""

_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")
_TELLING: Final = ("prompt", "prompt_version", "completion", "language", "audio")
_TELLING_ROWS: Final = 100
"""What is looked at to tell which task a configuration is about: columns, and rows of each split."""


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What to export.

    Attributes:
        format: the export plug-in.
        configuration: one configuration; None = all.
        split: one split; None = all.
        task: task of the rows, where they do not tell; None = they do.
        reward: reward plug-in; None = that of the task.
    """

    format: str
    configuration: str | None = None
    split: str | None = None
    task: str | None = None
    reward: str | None = None


@dataclass(kw_only=True)
class Exported:
    """What was exported.

    Attributes:
        folder: where to.
        files: the data files.
        left_out: ``<configuration>/<split> <form>`` -> reason -> rows.
        refused: ``<configuration> <form>`` -> why the format, or the configuration, has no such rows.
        remark: what the format's users must know.
    """

    folder: Path
    files: list[ExportedFile] = field(default_factory=list)
    left_out: dict[str, dict[str, int]] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    remark: str = ""

    def lines(self) -> list[str]:
        """Return what a user is told, one line each."""
        found = [f"{file.path}: {file.rows} rows of {file.configuration}, {file.split}, for {file.form}" for file in self.files]
        return [*found, *self.why_not(), *([self.remark] if self.remark else []), f"export: {self.folder}"]

    def why_not(self) -> list[str]:
        """Return what is not there, one line each."""
        found = [
            f"left out of {what}: {', '.join(f'{rows} {reason}' for reason, rows in sorted(reasons.items()))}"
            for what, reasons in self.left_out.items()
        ]
        return [*found, *(f"refused: {what}: {why}" for what, why in self.refused.items())]


def export_release(release: NamedRelease, output: Path, wanted: Wanted) -> Exported:
    """Write an export; the folder appears when it is complete. The same release gives the same bytes.

    Args:
        release: the release.
        output: a folder that is not there yet.
        wanted: what to export.

    Raises:
        RecipeError: unknown format, configuration, split, task or reward.
        DataError: the folder is there already, or nothing can be exported; names what was refused and left out.
        DamagedPart: the release cannot be read.
    """
    export: Export = plugins.configure("export", wanted.format)
    there = release.shards
    shards, tasks = _chosen(there, wanted), list[TaskSpec](plugins.intact("task", plugins.configure).values())
    ballots = ballots_of(release.builds) if set(export.needs) & set(COLUMNS) else {}
    with new_folder(output) as temporary:
        rewards = list[RowReward | NoReward]()
        found, folder = Exported(folder=output, remark=export.remark), ExportFolder(temporary)
        for (configuration, split), files in sorted(shards.items()):
            for shard in files:
                require_intact(release.workspace, release.folder, shard)
            source = _Source(release=release, files=files, ballots=ballots)
            siblings = {name: files for (of, name), files in there.items() if of == configuration}
            task = _task(release, [*siblings.values()], tasks, wanted.task)
            trained_on = [file for name in _TRAINING for file in siblings.get(name, ())] or [*chain(*siblings.values())]
            training = _Source(release=release, files=trained_on, ballots={})
            reward = RowReward.of(wanted.reward, task, source.schema.names, training.without_clips)
            rewards.append(reward)
            composer = Composer(
                configuration=configuration,
                split=split,
                item_column=item_column(source.schema),
                columns=source.columns,
                task=task,
                reward=reward,
                tasks=tasks,
                scales=source.scales(),
            )
            if absent := [column for column in export.needs if column not in composer.columns]:
                found.refused[configuration] = _lacking(absent, composer, release)
                continue
            for form in export.forms:
                if (why := composer.refusals.get(form)) is not None:
                    found.refused.setdefault(f"{configuration} {form}", why)
                    continue
                examples = _Examples(source=source, composer=composer, form=form)
                if (file := examples.written(export, folder)) is not None:
                    found.files.append(file)
                if examples.left_out:
                    found.left_out[f"{configuration}/{split} {form}"] = dict(examples.left_out)
            found.refused |= {f"{configuration} {form}": why for form, why in export.refusals.items()}
        if wanted.reward is not None and (unsuited := [one for one in rewards if isinstance(one, NoReward)]) == rewards:
            raise RecipeError(unsuited[0])
        if not found.files:
            raise DataError("nothing to export: " + "; ".join(found.why_not()))
        usage = export.finish(found.files, folder)
        folder.write_text("README.md", _readme(wanted.format, release.name, usage, export.remark))
        folder.write_text(SUMMARY, _summary(wanted.format, release.name, found, folder))
    return found


@dataclass(frozen=True, kw_only=True)
class _Source:
    """The rows of one configuration and split."""

    release: NamedRelease
    files: Sequence[File]
    ballots: Mapping[str, Mapping[str, Any]]

    @property
    def schema(self) -> pa.Schema:
        return schema_of(self.release.workspace, self.release.folder, self.files[0])

    @property
    def columns(self) -> list[str]:
        return [*self.schema.names, *(COLUMNS if self.ballots else ())]

    def rows(self) -> Iterator[dict[str, Any]]:
        nothing, key = dict.fromkeys(COLUMNS if self.ballots else ()), item_column(self.schema)
        for file in self.files:
            for row in rows_with_clips(self.release.workspace, self.release.folder, file):
                yield row | nothing | dict(self.ballots.get(row[key], {}))

    def without_clips(self, columns: Sequence[str]) -> Iterator[Mapping[str, Any]]:
        for file in self.files:
            require_intact(self.release.workspace, self.release.folder, file)
            yield from read_shard(self.release.workspace, self.release.folder, file, columns).to_pylist()

    def scales(self) -> list[str]:
        """Return the scales on which the clips are rated; none = the rows are no clips with ``scores``."""
        if not {"audio", "scores"} <= set(self.schema.names):
            return []
        return sorted({one["scale"] for row in self.without_clips(["scores"]) for one in row["scores"] or ()})


def _lacking(absent: Sequence[str], composer: Composer, release: NamedRelease) -> str:
    """Return why rows without some of the columns that a format needs are refused."""
    if not composer.is_of_pairs:
        return "its items are single clips, and the format is one of pairs"
    if columns := [column for column in absent if column not in COLUMNS]:
        return f"its pairs have no {', '.join(columns)}, which the format writes"
    if release.builds:
        return f"the rows have no {absent[0]}: people did not vote with five points on pairs of this recipe"
    return (
        f"the rows have no {absent[0]}: a release does not say who voted; "
        "name the recipe whose workspace holds the votes of this release"
    )


def _chosen(shards: Mapping[tuple[str, str], list[File]], wanted: Wanted) -> dict[tuple[str, str], list[File]]:
    for place, (what, name) in enumerate((("configuration", wanted.configuration), ("split", wanted.split))):
        known = sorted({key[place] for key in shards})
        if name is not None and name not in known:
            raise RecipeError(f"the release has no {what} {name!r}: it has {', '.join(known)}")
    asked = (wanted.configuration, wanted.split)
    for name in sorted({name for key in shards for name in key}):
        if not _NAME.fullmatch(name):
            raise DataError(f"the release has a configuration or split {name!r}, which can be no file's name")
    chosen = {
        key: files for key, files in shards.items() if all(name in (None, part) for name, part in zip(asked, key, strict=True))
    }
    if not chosen:
        raise RecipeError(f"configuration {wanted.configuration!r} has no split {wanted.split!r}")
    return chosen


def _task(
    release: NamedRelease, splits: Sequence[Sequence[File]], tasks: Sequence[TaskSpec], named: str | None
) -> TaskSpec | None:
    """Return the task of a configuration: the one that is named, or that rows of any of its splits tell of."""
    if named is not None:
        task: TaskSpec = plugins.configure("task", named)
        return task
    for files in splits:
        columns = schema_of(release.workspace, release.folder, files[0]).names
        telling = [name for name in _TELLING if name in columns]
        rows = read_shard(release.workspace, release.folder, files[0], telling).slice(0, _TELLING_ROWS)
        if (found := task_of_rows(rows.to_pylist(), tasks)) is not None:
            return found
    return None


@dataclass(kw_only=True)
class _Examples:
    """The examples of one configuration, split and form that have no fault; counts them and what is left out as it is read."""

    source: _Source
    composer: Composer
    form: Form
    selective: Selective | None = None
    rows: int = 0
    left_out: Counter[str] = field(default_factory=Counter)

    def written(self, export: Export, folder: ExportFolder) -> ExportedFile | None:
        """Write them; None = there are none, and no file."""
        if isinstance(export, Selective):
            self.selective = export
        examples, composer = iter(self), self.composer
        if (first := next(examples, None)) is None:
            return None
        name = f"{composer.configuration}-{composer.split}" + ("" if self.form == "released" else f"-{self.form}")
        path = export.write(chain([first], examples), self.form, name, folder)
        return ExportedFile(
            path=path, configuration=composer.configuration, split=composer.split, form=self.form, rows=self.rows
        )

    def __iter__(self) -> Iterator[Example]:
        for row in self.source.rows():
            example = self.composer.example(self.form, row, self.rows)
            why = self._why_not(example) if isinstance(example, Example) else example
            if why is not None:
                self.left_out[why] += 1
            elif isinstance(example, Example):
                self.rows += 1
                yield example

    def _why_not(self, example: Example) -> str | None:
        why = None if self.selective is None else self.selective.refusal(example)
        return why or fault(example, self.form)


def _readme(format_name: str, name: str, usage: str, remark: str) -> str:
    listed = f"Written by unisrm-data; `{SUMMARY}` lists the files, their rows, and what was left out."
    return "\n\n".join([f"# Release {name} for {format_name}", listed, usage, *([remark] if remark else [])]) + "\n"


def _summary(format_name: str, release: str, found: Exported, folder: ExportFolder) -> str:
    digests = dict(folder.digests(file.path for file in found.files))
    content = {
        "format": format_name,
        "release": release,
        "files": [asdict(file) | {"sha256": digests[file.path]} for file in found.files],
        "left_out": found.left_out,
        "refused": found.refused,
    }
    return json.dumps(content, indent=1, ensure_ascii=False, sort_keys=True) + "\n"
