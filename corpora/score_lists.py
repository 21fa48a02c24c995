"""Lists of scores as listening tests publish them: a line per rating, or per clip with its mean, without quotes.

Problems that readers of such lists share. A line with a bad rating is a dropped row of its own where a clip has more of them:

==========================  ==========================================================================================
missing_rating              a score is empty, or a clip has none at all
malformed_rating            a score is no number, or what a line says of its rater cannot be read
rating_out_of_range         a score beyond the scale, such as 0 where it goes from 1 to 5
duplicate_rating            a rater's second score of a clip on one scale, or a second other mean; the first one counts
contradicting_row           a line that says something else of a clip than an earlier one; the first one counts
duplicate_audio             a clip whose recording is that of an earlier one with another name; the first one counts
malformed_name              a name that does not say system and clip as the corpus's names do
missing_license             the corpus states no licence that SPDX has: say one in the reader's option
missing_language            the corpus does not say the language of its clips: say it in the reader's option
==========================  ==========================================================================================
"""

import statistics
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from contracts.errors import DataError
from contracts.languages import UNKNOWN
from contracts.licences import UNSTATED
from corpora.clip_ratings import BadRating, ClipRating, DuplicateRating, finite_number, of_columns
from corpora.corpus_files import text_of, with_audio
from corpora.delimited import separated_rows
from corpora.reader import Utterance, lines
from corpora.root import Root

_EMPTY: Final = frozenset({"", "nan", "null", "none", "n/a", "<na>"})
"""What stands for no value; pandas reads and writes these."""


class MissingRating(BadRating):
    """There is no score."""


class OutOfRange(BadRating):
    """A score lies beyond its scale."""


class MakesRows(Protocol):
    """How a reader makes a row of a source id and what was found of it."""

    def __call__(
        self,
        source_id: str,
        *,
        source_ref: str | None = None,
        audio_path: str | None = None,
        problem: str | None = None,
        problem_detail: str | None = None,
    ) -> Utterance:
        """Return a row with the reader's language, licence and style."""
        ...


@dataclass(frozen=True, kw_only=True)
class Scale:
    """A scale of a listening test, and its ends."""

    name: str
    lowest: float = 1
    highest: float = 5

    def rating(self, score: str, rater: str | None = None) -> ClipRating:
        """Return a rating by a rater; without one, by somebody whom the corpus does not name.

        Raises:
            BadRating: it is missing, no number, or beyond the scale.
        """
        self._check_is_there(score)
        rating = ClipRating(scale=self.name, score=finite_number(score, self.name), rater=rater and sys.intern(rater))
        return self._in_range(rating)

    def mean(self, score: str, raters: str = "", std: str = "") -> ClipRating:
        """Return a mean over raters, with their number and deviation where the corpus says them.

        Raises:
            BadRating: it is missing, no number, or beyond the scale.
        """
        self._check_is_there(score)
        more = {"raters": raters, "std": std}
        column = f"rating.{self.name}"
        given = {f"{column}.{key}": value for key, value in more.items() if not is_empty(value)}
        (rating,) = of_columns({column: score, **given})
        return self._in_range(rating)

    def _check_is_there(self, score: str) -> None:
        if is_empty(score):
            raise MissingRating(f"{self.name}: no score")

    def _in_range(self, rating: ClipRating) -> ClipRating:
        if not self.lowest <= rating.score <= self.highest:
            raise OutOfRange(f"{self.name}: {rating.score:g} is not from {self.lowest:g} to {self.highest:g}")
        return rating


MOS: Final = Scale(name="mos")
"""Mean opinion score: overall quality or naturalness from 1 to 5 (ITU-T P.800)."""


class ScoreLines:
    """Clips in the order in which lines first name them, each with the ratings of all its lines.

    Ratings whose raters a corpus does not name become one mean per scale, with their number and their sample deviation.
    """

    def __init__(self, make: MakesRows) -> None:
        """Begin with no clips; ``make`` makes the rows of bad lines."""
        self._make = make
        self._clips = dict[str, Utterance]()
        self._ratings = dict[str, list[ClipRating]]()
        self._stated = dict[str, Utterance]()
        self._bad = list[Utterance]()

    def clip(self, source_id: str) -> Utterance | None:
        """Return the row of a clip that a line named before."""
        return self._clips.get(source_id)

    def add(self, clip: Utterance) -> None:
        """Take the row of a clip."""
        self._clips[clip.source_id] = clip
        self._ratings[clip.source_id] = []

    def rate(self, source_id: str, source_ref: str, scale: Scale, score: str, rater: str | None = None) -> None:
        """Add a rating of a clip that is there; a bad one becomes a row with its problem."""
        found = self._ratings[source_id]
        try:
            rating = scale.rating(score, rater)
            if rater is not None and any(one.rater == rater and one.scale == scale.name for one in found):
                raise DuplicateRating(f"{scale.name}: {rater} has rated {source_id} before")
        except BadRating as error:
            self.drop(source_ref, problem_of(error), str(error))
        else:
            found.append(rating)

    def take_mean(self, clip: Utterance, scale: Scale, score: str) -> None:
        """Take a clip of a list of means, which counts where no line rates the clip; another mean of it becomes a bad row."""
        add_mean(clip, scale, score)
        stated = self._stated.get(clip.source_id)
        if stated is not None and (clip.ratings, clip.problem) != (stated.ratings, stated.problem):
            detail = f"{scale.name}: {clip.source_id} has another mean in {stated.source_ref}"
            self.drop(clip.source_ref or "", "duplicate_rating", detail)
        elif stated is None:
            self._stated[clip.source_id] = clip
            if self.clip(clip.source_id) is None:
                self.add(clip)

    def drop(self, source_ref: str, problem: str, detail: str | None = None) -> None:
        """Add a row for a line that cannot be used."""
        self._bad.append(self._make(source_ref, source_ref=source_ref, problem=problem, problem_detail=detail))

    def rows(self) -> Iterator[Utterance]:
        """Yield the clips with their ratings, then the lines that cannot be used."""
        for source_id, clip in self._clips.items():
            ratings = self._ratings.pop(source_id)
            named = [rating for rating in ratings if rating.rater is not None]
            clip.ratings = (*(clip.ratings or ()), *_means(ratings), *named) or None
            if clip.ratings is None:
                clip.problem = clip.problem or "missing_rating"
            yield clip
        yield from self._bad


def _means(ratings: Iterable[ClipRating]) -> Iterator[ClipRating]:
    scores = dict[str, list[float]]()
    for rating in ratings:
        if rating.rater is None:
            scores.setdefault(rating.scale, []).append(rating.score)
    for scale, values in scores.items():
        std = statistics.stdev(values) if len(values) > 1 else None
        yield ClipRating(scale=scale, score=statistics.fmean(values), raters=len(values), std=std)


def problem_of(error: BadRating) -> str:
    """Return the name of the problem that a bad rating is."""
    kinds = {MissingRating: "missing_rating", OutOfRange: "rating_out_of_range", DuplicateRating: "duplicate_rating"}
    return kinds.get(type(error), "malformed_rating")


def add_mean(clip: Utterance, scale: Scale, score: str, raters: str = "", std: str = "") -> None:
    """Add the one mean that a clip has on a scale to its row, or the problem with it; the row's first problem is kept."""
    try:
        clip.ratings = (*(clip.ratings or ()), scale.mean(score, raters, std))
    except BadRating as error:
        if clip.problem is None:
            clip.problem, clip.problem_detail = problem_of(error), str(error)


def is_empty(value: str) -> bool:
    """Tell whether a field holds no value."""
    return value.strip().lower() in _EMPTY


def comma_lines(text: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the number and the fields of each line that is not blank. Such lists have no quotes."""
    for number, line in enumerate(lines(text), start=1):
        if line.strip():
            yield number, [field.strip() for field in line.split(",")]


def contents_of(root: Root, file: str | None) -> Mapping[str, str]:
    """Return the content of each clip, by its id, that a CSV file with the columns ``id, content_id`` says.

    Corpora whose names do not say which clips speak one text get their contents from elsewhere.

    Raises:
        DataError: the file is not there, lacks a column, or has a line that cannot be read or contradicts another one.
    """
    if file is None:
        return {}
    where = f"{root.url}/{file}"
    if (text := text_of(root, file)) is None:
        raise DataError(f"{where} is missing; correct the option contents, or leave it out")
    found = list[tuple[int, str, str]]()
    for number, fields in separated_rows(text, where, lambda _names, _where: None, ("id", "content_id"), tabs=False):
        if fields is None:
            raise DataError(f"{where}, row {number}: too few, too many or badly quoted fields; correct the row, or remove it")
        found.append((number, fields["id"], fields["content_id"]))
    return stated_once(found, where, "content_id")


def stated_once(rows: Iterable[tuple[int, str, str]], where: str, field: str) -> Mapping[str, str]:
    """Return what a file beside a corpus says of each clip: clip, without ``.wav`` -> value.

    Args:
        rows: number, clip and value of each row.
        where: the file, for messages.
        field: what the value is, for messages.

    Raises:
        DataError: a row names no clip, or two rows say different things of one.
    """
    found = dict[str, tuple[str, int]]()
    for number, named, value in rows:
        if not (clip := named.strip().removesuffix(".wav")):
            raise DataError(f"{where}, row {number}, field id: it is empty; name a clip, or remove the row")
        known, first = found.setdefault(clip, (value.strip(), number))
        if known != value.strip():
            raise DataError(
                f"{where}, row {number}, field {field}: {value[:60]!r} for {clip[:60]!r}, "
                f"which has {known[:60]!r} in row {first}; remove one of the rows"
            )
    return {clip: value for clip, (value, _) in found.items()}


def rated_clips(root: Root, rows: Iterable[Utterance], folders: Iterable[str], make: MakesRows) -> Iterator[Utterance]:
    """Look up the recordings of rows, and yield those that no row names, too.

    Args:
        root: the corpus.
        rows: what the lists say.
        folders: folders whose WAV files the lists should name.
        make: makes the rows of other files.
    """
    listed, owners = set[str | None](), dict[str, str]()
    for row in with_audio(root, rows):
        listed.add(row.audio_path)
        if _stated(row).problem is None and row.audio_path is not None:
            first = owners.setdefault(row.audio_path, row.source_id)
            if first != row.source_id:
                row.problem, row.problem_detail = "duplicate_audio", f"{row.audio_path} is the recording of {first}, too"
        yield row
    for folder in folders:
        names = [name for name in root.files(folder) if name.lower().endswith(".wav")]
        others = (path for name in names if (path := f"{folder}/{name}") not in listed)
        detail = "no list of scores names it"
        unlisted = (make(path, audio_path=path, problem="missing_rating", problem_detail=detail) for path in others)
        yield from with_audio(root, unlisted)


def _stated(row: Utterance) -> Utterance:
    """Mark a row whose licence or language nobody states."""
    for stated, problem, detail in (
        (row.license != UNSTATED, "missing_license", "the corpus states no licence that SPDX has: set the option license"),
        (row.language != UNKNOWN, "missing_language", "the corpus does not say the language: set the option language"),
    ):
        if not stated and row.problem is None:
            row.problem, row.problem_detail = problem, detail
    return row
