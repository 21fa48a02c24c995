"""Clips that come back from a system which ran elsewhere: read, checked, and made a corpus that a recipe can name.

What comes back is untrusted. A path may name files of its folder only, an id only a prompt of this recipe; nothing that comes
from outside becomes a name of a file here.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from contracts.errors import DataError
from contracts.ids import canonical_json
from contracts.jobs import Failure
from contracts.json_text import DuplicateKey, json_value
from corpora.root import is_outside
from flows.clips.exported_prompts import PROMPTS_FILE, spoken_prompts
from flows.recipe.preference_recipe import PreferenceRecipe
from flows.run.pipeline import Build
from storage.local_files import new_folder, storage_errors
from synth.clip_limits import OpenLimit
from synth.dsp import AudioFormat
from synth.engine import Waveform
from synth.recording import decode
from synth.sanity import standard_clip

CLIPS_FILE: Final = "clips.jsonl"
_KEYS: Final = ("id", "audio")
_PLACE: Final = "folder"
_SUFFIXES: Final = (".wav", ".flac", ".mp3", ".ogg", ".opus", ".aiff", ".aif", ".g722")
_MOST_SHOWN: Final = 20
_LONGEST_LINE: Final = 100_000
_LARGEST_BYTES: Final = 1 << 28


@dataclass(frozen=True, kw_only=True)
class ReturnedClip:
    """One clip.

    Attributes:
        place: line or file that names it, for messages.
        folder: what came back.
        path: of its file inside the folder.
        prompt_id: what it speaks, as it is said.
    """

    place: str
    folder: Path
    path: str
    prompt_id: str

    @property
    def file(self) -> Path:
        """Its file."""
        return self.folder / self.path


@dataclass(frozen=True, kw_only=True)
class ImportedClips:
    """What was taken: how many clips, of how many prompts, how many prompts have none; and what was wrong, line by line."""

    clips: int
    prompts: int
    without: int
    problems: tuple[str, ...]


def import_clips(
    build: Build[PreferenceRecipe], folder: Path, corpus: Path, *, system: str, licence: str, skip_bad: bool = False
) -> ImportedClips:
    """Make a corpus of the clips in a folder, whole or not at all.

    The folder holds ``clips.jsonl``, with ``id`` (of the prompt) and ``audio`` (a path inside the folder) in each line; or,
    without it, files named by the prompt's id: ``<id>.wav``, and ``<id>.2.wav`` or ``<id>-b.flac`` for further takes of it.
    Each clip is checked as those of engines are: that it decodes, its rate, level and length for the text, and the recipe's
    ``clip_limits``, such as the word error rate.

    Args:
        build: the recipe whose prompts were exported.
        folder: what came back.
        corpus: folder of the new corpus: ``manifest.jsonl`` and ``audio``.
        system: what made the clips.
        licence: of the clips, an SPDX expression.
        skip_bad: take the good clips though others are bad.

    Raises:
        SetupError: a metric of the limits cannot run on this machine.
        DataError: a clip is bad and ``skip_bad`` is not set, none is good, something is at ``corpus``, or there are no prompts.
        StorageError: a disk refuses.
    """
    prompts = {row["prompt_id"]: row for row in spoken_prompts(build).to_pylist()}
    with storage_errors(str(folder), _PLACE):
        if not folder.is_dir():
            raise DataError(f"{folder} is no folder: name the one that came back")
        listed = list(_listed(folder) if (folder / CLIPS_FILE).is_file() else _named(folder))
    limits = [section.limit.open() for section in build.recipe.clip_limits]
    problems, takes, seen = list[str](), Counter[str](), defaultdict[Path, list[str]](list)
    with new_folder(corpus, _PLACE) as part, storage_errors(str(corpus), _PLACE):
        (part / "audio").mkdir()
        with (part / "manifest.jsonl").open("w", encoding="utf-8", newline="\n") as manifest:
            for one in listed:
                found = one if isinstance(one, str) else _checked(one, prompts, seen, build.recipe.clip_format, limits)
                if isinstance(one, str) or isinstance(found, str):
                    problems.append(str(found))
                    continue
                takes[one.prompt_id] += 1
                name = f"{one.prompt_id}-{takes[one.prompt_id]}"
                audio = f"audio/{name}{one.file.suffix.lower()}"
                (part / audio).write_bytes(found)
                row = {name: prompts[one.prompt_id][name] for name in ("text", "language", "style")}
                row |= {"id": name, "audio": audio, "system": system, "license": licence, "content_id": one.prompt_id}
                manifest.write(canonical_json(row) + "\n")
        if problems and not skip_bad:
            raise DataError(_told(problems) + "; correct them, or take the others with --skip-bad; nothing was imported")
        if not takes:
            raise DataError(_told(problems) if problems else f"{folder}: no clip is in it, and no {CLIPS_FILE}")
    without = len(prompts) - len(takes)
    return ImportedClips(clips=takes.total(), prompts=len(takes), without=without, problems=tuple(problems))


def _told(problems: list[str]) -> str:
    more = f"; and {len(problems) - _MOST_SHOWN} more" if len(problems) > _MOST_SHOWN else ""
    return f"{len(problems)} bad clips: " + "; ".join(problems[:_MOST_SHOWN]) + more


def _listed(folder: Path) -> Iterator[ReturnedClip | str]:
    """Yield the clips that ``clips.jsonl`` names, or why a line names none."""
    try:
        text = (folder / CLIPS_FILE).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{folder / CLIPS_FILE}: not UTF-8 at byte {error.start}: save it as UTF-8") from None
    for number, line in enumerate(text.split("\n"), start=1):
        place = f"{CLIPS_FILE}, line {number}"
        if line.strip():
            found = _line(line)
            yield (
                f"{place}: {found}"
                if isinstance(found, str)
                else ReturnedClip(place=place, folder=folder, path=found["audio"], prompt_id=found["id"])
            )


def _line(line: str) -> dict[str, Any] | str:
    """Return the fields of a line, or what is wrong with it."""
    try:
        fields = json_value(line) if len(line) <= _LONGEST_LINE else None
    except (DuplicateKey, ValueError) as error:
        return f"no JSON: {' '.join(str(error).split())[:200]}"
    if not isinstance(fields, dict):
        return 'no object: write {"id": ..., "audio": ...}'
    for key in _KEYS:
        if not isinstance(fields.get(key), str) or not fields[key]:
            return f"{key}: is needed, as a text"
    if is_outside(fields["audio"]):
        return f"audio: {fields['audio'][:200]!r} is no path inside the folder"
    return fields


def _named(folder: Path) -> Iterator[ReturnedClip | str]:
    """Yield the clips whose files are named by prompts, or why a file is none; hidden files and the export's are no clips."""
    for file in sorted(folder.iterdir()):
        if file.name.startswith(".") or file.name == PROMPTS_FILE or file.is_dir():
            continue
        if file.suffix.lower() not in _SUFFIXES:
            yield f"{file.name!r}: no audio file by its name: {', '.join(_SUFFIXES)} are taken"
        else:
            yield ReturnedClip(place=repr(file.name), folder=folder, path=file.name, prompt_id=_id_in(file.name))


def _id_in(name: str) -> str:
    """Return the id that a file's name begins with: its letters and digits up to the first other character."""
    return next((name[:at] for at, character in enumerate(name) if not character.isalnum()), name)


def _checked(
    one: ReturnedClip,
    prompts: dict[str, Any],
    seen: dict[Path, list[str]],
    audio: AudioFormat,
    limits: Sequence[OpenLimit],
) -> bytes | str:
    """Return the file of a sound clip, or what is wrong with it."""
    if one.prompt_id not in prompts:
        return f"{one.place}: {one.prompt_id[:100]!r} is no id of a prompt of this recipe"
    if one.file.suffix.lower() not in _SUFFIXES:
        return f"{one.place}: {one.file.name!r}: no audio file by its name: {', '.join(_SUFFIXES)} are taken"
    real = one.file.resolve()
    if not real.is_relative_to(one.folder.resolve()):
        return f"{one.place}: {one.file.name!r} is a link out of the folder: put the file itself there"
    if not real.is_file():
        return f"{one.place}: there is no file {one.file.name!r}"
    if one.prompt_id in seen[real]:
        return f"{one.place}: {one.file.name!r} stands for this prompt already"
    seen[real].append(one.prompt_id)
    if real.stat().st_size > _LARGEST_BYTES:
        return (
            f"{one.place}: {one.file.name!r} has {real.stat().st_size} bytes, at most {_LARGEST_BYTES}: cut it into its clips"
        )
    data = real.read_bytes()
    problem = _unsound(decode(data, one.file.name), prompts[one.prompt_id], audio, limits)
    return data if problem is None else f"{one.place}: {problem.reason}: {problem.message}"


def _unsound(
    waveform: Waveform | Failure, prompt: dict[str, Any], audio: AudioFormat, limits: Sequence[OpenLimit]
) -> Failure | None:
    """Return why a clip would be refused of an engine; None = it would not."""
    if isinstance(waveform, Failure):
        return waveform
    if isinstance(clip := standard_clip(waveform, prompt["text"], audio), Failure):
        return clip
    said = {"sample_id": prompt["prompt_id"], "text": prompt["text"], "language": prompt["language"]}
    return next(filter(None, (limit.excess(waveform, **said) for limit in limits)), None)
