"""Manifests of rated clips: systems, contents, references and ratings, in every form that they may stand in."""

import json
import re

import pyarrow as pa
import pytest

from contracts import plugins
from contracts.conformance import conform
from contracts.errors import DataError, RecipeError
from contracts.joins import sorted_by
from contracts.schemas import UTTERANCES
from storage.tables import TableStore
from storage.workspace import Workspace
from tests.corpora import dummies

OPTIONS = {"language": "en", "license": "MIT"}


def read(root, **options):
    batches = plugins.configure("corpus", "manifest", OPTIONS | options).read(str(root))
    return conform(pa.Table.from_batches(batches, schema=UTTERANCES), "utterances").to_pylist()


def write(root, *rows, form="csv", ratings=None):
    """Write rows as a manifest, each with its audio, text and id unless it says otherwise, and a file of ratings."""
    rows = [{"audio": f"{n}.wav", "text": f"Text {n}", "id": f"u{n}"} | row for n, row in enumerate(rows, start=1)]
    if form == "jsonl":
        lines = [json.dumps(row) for row in rows]
    else:
        columns = list(dict.fromkeys(name for row in rows for name in row))
        separator = {"csv": ",", "tsv": "\t"}[form]
        lines = [separator.join(columns), *(separator.join(str(row.get(name, "")) for name in columns) for row in rows)]
    dummies.put(root / f"manifest.{form}", "\n".join(lines) + "\n")
    for row in rows:
        dummies.put(root / row["audio"], dummies.encode("WAV", seconds=0.1))
    if ratings is not None:
        dummies.put(root / "ratings.csv", "\n".join(["id,rater,scale,score", *ratings]) + "\n")


def mean(scale, score, raters=None, std=None):
    return {"scale": scale, "rater": None, "score": score, "raters": raters, "std": std}


def by(rater, scale, score):
    return {"scale": scale, "rater": rater, "score": score, "raters": None, "std": None}


@pytest.mark.parametrize("form", ["csv", "tsv", "jsonl"])
def test_columns_of_rated_clips(tmp_path, form):
    """Names lose the blanks around them; what is empty is null; a mean may say how many raters it rests on."""
    given = {
        "system": " s1 ",
        "content_id": "c1",
        "condition": "noise 10 dB",
        "split": "train",
        "references": " one answer ",
        "rating.mos": "3.5",
        "rating.mos.raters": "8",
        "rating.mos.std": ".5",
        "rating.noise": "4e0",
    }
    write(tmp_path, given, {}, form=form)
    full, bare = read(tmp_path)
    names = ("system", "content_id", "condition", "split", "references")
    assert [full[name] for name in names] == ["s1", "c1", "noise 10 dB", "train", ["one answer"]]
    assert full["ratings"] == [mean("mos", 3.5, 8, 0.5), mean("noise", 4.0)]
    assert [bare[name] for name in (*names, "ratings", "problem")] == [None] * 7


def test_json_has_lists_and_numbers(tmp_path):
    """References are a list or one text; ratings have a rater, or are means; integers name raters and contents."""
    ratings = [
        {"scale": "mos", "rater": 7, "score": 4},
        {"scale": "mos", "rater": " r2 ", "score": "3"},
        {"scale": "mos", "score": 3.5, "raters": 2, "std": 0.5},
        {"scale": "mos", "rater": "r3", "score": -1, "raters": None},
    ]
    write(
        tmp_path,
        {"ratings": ratings, "references": ["ja", "doch"], "content_id": 5, "rating.noise": 2},
        {"references": [], "ratings": [], "rating.noise": None},
        form="jsonl",
    )
    full, bare = read(tmp_path)
    assert full["ratings"] == [mean("noise", 2.0), by("7", "mos", 4.0), by("r2", "mos", 3.0), mean("mos", 3.5, 2, 0.5),
                               by("r3", "mos", -1.0)]  # fmt: skip
    assert (full["references"], full["content_id"]) == (["ja", "doch"], "5")
    assert (bare["references"], bare["ratings"], bare["problem"]) == (None, None, None)


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_ratings_of_each_rater_lie_beside_the_manifest(tmp_path, form):
    """They join the means; raters are named as the corpus names them; a clip without any has none."""
    write(
        tmp_path,
        {"rating.mos": 3.5},
        {},
        form=form,
        ratings=["u1, R 1 ,mos,4", "u1,r 1,mos,3", 'u1,"Ann, B.",noise,2.25'],
    )
    first, second = read(tmp_path)
    assert first["ratings"] == [mean("mos", 3.5), by("R 1", "mos", 4.0), by("r 1", "mos", 3.0), by("Ann, B.", "noise", 2.25)]
    assert second["ratings"] is None


def test_a_file_of_ratings_lies_in_the_folder_of_its_manifest(tmp_path):
    """Not in the root, if the manifest lies below it."""
    write(tmp_path, {})
    dummies.put(tmp_path / "meta/manifest.csv", "audio,text\n1.wav,Text\n")
    dummies.put(tmp_path / "meta/ratings.csv", "score,scale,rater,id\n4,mos,r1,1.wav\n")
    (row,) = read(tmp_path, file="meta/manifest.csv")
    assert row["ratings"] == [by("r1", "mos", 4.0)]
    assert read(tmp_path, file="manifest.csv")[0]["ratings"] is None


def test_a_workspace_keeps_ratings(tmp_path):
    """As they were read; rows that are older than the columns have none."""
    write(tmp_path, {"rating.mos": 3.5, "references": "ja"}, {}, ratings=["u1,r1,mos,4", "u2,r1,mos,3"])
    table = pa.Table.from_batches(plugins.configure("corpus", "manifest", OPTIONS).read(str(tmp_path)))
    store = TableStore(Workspace(str(tmp_path / "workspace")))
    store.append("utterances", table)
    assert sorted_by(store.read("utterances"), "source_id").equals(table)
    new = ["system", "content_id", "condition", "split", "references", "ratings"]
    assert conform(table.drop_columns(new), "utterances").select(new).to_pylist() == [dict.fromkeys(new)] * 2


BAD_NUMBERS = ["good", "nan", "NaN", "inf", "-inf", "1e999", "3,5", "1_0", "0x1", "\u0663", "4 of 5", "--1"]


@pytest.mark.parametrize("value", BAD_NUMBERS)
def test_a_score_that_is_no_finite_number_drops_its_clip(tmp_path, value):
    """A mean over the other ratings would be another one; the drop names file, row and field; the next row is read."""
    for place in ("column", "list", "file"):
        root = tmp_path / place
        row = {"column": {"rating.mos": value}, "list": {"ratings": [{"scale": "mos", "score": value}]}, "file": {}}[place]
        scores = ["u2,r1,mos,4", f'u1,r1,mos,"{value}"'] if place == "file" else None
        write(root, row, {}, form="jsonl", ratings=scores)
        bad, good = read(root)
        assert (bad["problem"], bad["ratings"], good["problem"]) == ("malformed_rating", None, None)
        field = {"column": "rating.mos", "list": "ratings, item 1: score", "file": "ratings.csv:3: score"}[place]
        assert bad["problem_detail"] == f"{field}: {value!r} is no finite number"
        assert bad["source_ref"] == "manifest.jsonl:1"


@pytest.mark.parametrize(
    ("row", "detail"),
    [
        ({"rating.mos": True}, "rating.mos: 'True' is no finite number"),
        ({"rating.mos": [4]}, r"rating.mos: '\[4\]' is no finite number"),
        ({"rating.mos": int("9" * 400)}, "rating.mos: '9+' is no finite number"),
        ({"rating.mos": 4, "rating.mos.raters": 2.5}, "rating.mos.raters: 2.5 is no number of raters"),
        ({"rating.mos": 4, "rating.mos.raters": "0"}, "rating.mos.raters: '0' is no number of raters"),
        ({"rating.mos": 4, "rating.mos.std": -1}, "rating.mos.std: -1 is negative"),
        ({"rating.mos.std": 1}, "rating.mos: missing"),
        ({"ratings": {"mos": 4}}, "ratings: no list"),
        ({"ratings": "4"}, "ratings: no list"),
        ({"ratings": [4]}, "ratings, item 1: no object"),
        ({"ratings": [{"scale": "mos", "score": 4}, {"scale": "mos", "rater": "r"}]}, "ratings, item 2: score: missing"),
        ({"ratings": [{"score": 4}]}, "ratings, item 1: scale: missing"),
        ({"ratings": [{"scale": 1.5, "score": 4}]}, "ratings, item 1: scale: no name"),
        ({"ratings": [{"scale": "mos", "rater": "\u200b", "score": 4}]}, "ratings, item 1: rater: no name"),
        ({"ratings": [{"scale": "mos", "rater": " ", "score": 4}]}, "ratings, item 1: rater: missing"),
        (
            {"ratings": [{"scale": "mos", "rater": "r", "score": 4, "raters": 2}]},
            "item 1: raters: only a mean over raters has it",
        ),
    ],
)
def test_a_rating_that_cannot_be_read_drops_its_clip(tmp_path, row, detail):
    """With the field that is wrong."""
    write(tmp_path, row, {}, form="jsonl")
    bad, good = read(tmp_path)
    assert (bad["problem"], good["problem"]) == ("malformed_rating", None)
    assert re.search(detail, bad["problem_detail"])


@pytest.mark.parametrize(
    ("row", "ratings", "detail"),
    [
        (
            {"ratings": [{"scale": "mos", "rater": r, "score": 4} for r in ("1", 1)]},
            None,
            "two ratings of '1' on the scale 'mos'",
        ),
        ({"ratings": [{"scale": s, "score": 4} for s in ("mos", " mos\u200b")]}, None, "two means on the scale 'mos'"),
        ({"rating.mos": 4, "ratings": [{"scale": "mos", "score": 4}]}, None, "two means on the scale 'mos'"),
        ({}, ["u1,r1,mos,4", "u1,r1 ,mos,4"], "two ratings of 'r1' on the scale 'mos'"),
        ({"ratings": [{"scale": "mos", "rater": "r1", "score": 4}]}, ["u1,r1,mos,4"], "two ratings of 'r1' on the scale 'mos'"),
    ],
)
def test_a_rater_stands_once_on_one_clip_and_scale(tmp_path, row, ratings, detail):
    """Which of two ratings counts cannot be known."""
    write(tmp_path, row, form="jsonl", ratings=ratings)
    (found,) = read(tmp_path)
    assert (found["problem"], found["problem_detail"], found["ratings"]) == ("duplicate_rating", detail, None)


def test_what_a_file_of_ratings_has_beyond_the_manifest_is_a_row(tmp_path):
    """One for each clip that is not listed, and one for each line of which the clip is not known."""
    write(tmp_path, {}, {"rating.mos": "x"}, ratings=["u9,r1,mos,4", "u1,r1,mos,5", "u1,r1", "u9,r2,mos,4", "u2,r1,mos,5"])
    found = read(tmp_path)
    assert [(row["source_id"], row["problem"]) for row in found] == [
        ("u1", None),
        ("u2", "malformed_rating"),
        ("ratings.csv:4", "malformed_row"),
        ("ratings.csv:2", "unknown_clip"),
    ]
    assert found[-1]["problem_detail"] == "2 ratings from here on are of 'u9', which is no id of the manifest"


@pytest.mark.parametrize(
    ("rater", "problem"),
    [(b"caf\xe9", "undecodable_metadata"), (b"a\0b", "nul_character"), ("Jos\u00e9".encode(), None)],
)
def test_names_of_raters_are_texts(tmp_path, rater, problem):
    """Bytes that are none drop the clip that they stand at."""
    write(tmp_path, {})
    dummies.put(tmp_path / "ratings.csv", b"id,rater,scale,score\nu1," + rater + b",mos,4\n")
    assert [row["problem"] for row in read(tmp_path)] == [problem]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"rating.mos.median": 4}, r"manifest\.jsonl, row 1: unknown column 'rating\.mos\.median'\. .*rating\.<scale>\.std"),
        ({"rating.": 4}, r"row 1: unknown column 'rating\.'"),
        ({"rating": 4}, r"row 1: unknown column 'rating'\. Did you mean 'ratings'\?"),
        ({"contentid": 4}, r"row 1: unknown column 'contentid'\. Did you mean 'content_id'\?"),
        ({"ratings": [{"scor": 4}]}, r"manifest\.jsonl:1, ratings, item 1: unknown column 'scor'\. Did you mean 'score'\?"),
    ],
)
def test_an_unknown_column_is_an_error(tmp_path, row, message):
    """A typing error in a column's name would lose all of its values."""
    write(tmp_path, row, form="jsonl")
    with pytest.raises(DataError, match=message):
        read(tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("id,rater,scale,value\n", r"ratings\.csv, header: unknown column 'value'"),
        ("id,scale,score\n", r"ratings\.csv, header: no column 'rater'"),
        ("id,rater,scale,score,id\n", r"ratings\.csv, header: a column occurs twice"),
        ('id,rater,scale,score\nu1,"r1,mos,4\nu1,r2,mos,4\n', r"ratings\.csv, row 3: .*double quote"),
    ],
)
def test_hopeless_files_of_ratings_are_errors(tmp_path, content, message):
    """As hopeless manifests are; and a CSV manifest has no column of lists."""
    write(tmp_path, {})
    dummies.put(tmp_path / "ratings.csv", content)
    with pytest.raises(DataError, match=message):
        read(tmp_path)
    write(tmp_path / "other", {"ratings": "[]"})
    with pytest.raises(DataError, match="header: unknown column 'ratings'"):
        read(tmp_path / "other")


@pytest.mark.parametrize("value", [5, {"a": "b"}, [1], ["a", None], ["a", " "]])
def test_references_are_texts(tmp_path, value):
    write(tmp_path, {"references": value}, form="jsonl")
    (row,) = read(tmp_path)
    assert (row["problem"], row["references"]) == ("malformed_reference", None)


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_texts_are_optional_where_the_recipe_says_so(tmp_path, form):
    """A blank one is null then; one that is there is checked as ever."""
    write(tmp_path, {"text": ""}, {"text": " \u200b "}, {"text": "Three"}, {"text": "word " * 1000}, form=form)
    assert [row["problem"] for row in read(tmp_path)] == ["empty_text", "empty_text", None, "text_too_long"]
    found = read(tmp_path, text="optional")
    assert [row["problem"] for row in found] == [None, None, None, "text_too_long"]
    assert [row["text"] for row in found[:3]] == [None, None, "Three"]


def test_an_optional_text_needs_no_column(tmp_path):
    dummies.put(tmp_path / "manifest.csv", "audio\n1.wav\n")
    dummies.put(tmp_path / "1.wav", dummies.encode("WAV"))
    with pytest.raises(DataError, match="no column 'text'"):
        read(tmp_path)
    assert [(row["text"], row["problem"]) for row in read(tmp_path, text="optional")] == [(None, None)]


@pytest.mark.parametrize("score", ["1e308", "-1e10", "1000000001"])
def test_a_score_beyond_any_scale_is_malformed(tmp_path, score):
    """The mean of some such would be infinite."""
    dummies.put(tmp_path / "a.wav", dummies.encode("WAV"))
    dummies.put(tmp_path / "manifest.csv", f"id,audio,text,language,license,rating.mos\na,a.wav,x,en,CC0-1.0,{score}\n")
    (row,) = read(tmp_path)
    assert (row["problem"], row["ratings"]) == ("malformed_rating", None)
    assert row["problem_detail"].endswith("is beyond any scale")


@pytest.mark.parametrize("place", ["column", "list", "file"])
def test_a_rating_beyond_its_scale_drops_its_clip(tmp_path, place):
    """Wherever it stands; the bounds themselves are on the scale, and a scale without bounds takes any number."""
    rows = [{"rating.mos": 5.5}, {"rating.mos": 5, "rating.cmos": -3}, {"rating.mos": 1}]
    if place == "list":
        rows = [{"ratings": [{"scale": name[7:], "score": score} for name, score in row.items()]} for row in rows]
    beside = None
    if place == "file":
        rows, beside = [{}, {}, {}], ["u1,r1,mos,4", "u1,r2,mos,5.5", "u2,r1,mos,5", "u2,r1,cmos,-3", "u3,r1,mos,1"]
    write(tmp_path, *rows, form="jsonl", ratings=beside)
    bad, good, also_good = read(tmp_path, scales={" mos": [1, 5]})
    assert (bad["problem"], bad["problem_detail"], bad["ratings"]) == (
        "rating_out_of_range", "mos: 5.5 is not between 1 and 5", None,
    )  # fmt: skip
    assert [row["problem"] for row in (good, also_good)] == [None, None]
    assert [row["problem"] for row in read(tmp_path)] == [None, None, None]


def test_bounds_of_a_scale_that_nobody_used_or_that_nothing_is_between_are_refused(tmp_path):
    write(tmp_path, {"rating.mos": 4})
    with pytest.raises(DataError, match="scales: no clip is rated on 'mso': write the scale as the ratings do"):
        read(tmp_path, scales={"mso": [1, 5]})
    for bounds in ([5, 1], [1, 1]):
        with pytest.raises(RecipeError, match="must be the lowest and the highest rating of a named scale"):
            read(tmp_path, scales={"mos": bounds})
    with pytest.raises(RecipeError, match="scales"):
        read(tmp_path, scales={"mos": [1]})
