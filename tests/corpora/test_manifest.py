"""The manifest reader: formats, and manifests that cannot be understood at all."""

import pyarrow as pa
import pytest

from contracts import plugins
from contracts.errors import DataError, RecipeError
from tests.corpora import dummies


def read(root, **options):
    return pa.Table.from_batches(plugins.configure("corpus", "manifest", options).read(str(root))).to_pylist()


def test_json_lines(tmp_path):
    """JSON Lines keep line separators inside texts, take numbers as ids, and broken lines stay rows."""
    dummy = dummies.jsonl(tmp_path)
    rows = read(tmp_path, **dummy.options)
    assert [(row["source_id"], row["problem"]) for row in rows] == dummy.problems
    assert rows[0]["text"] == "One\u2028two"
    assert (rows[0]["speaker_id"], rows[0]["license"], rows[0]["language"]) == ("5", "CC-BY-4.0", "en")


def test_options_fill_what_rows_leave_out(tmp_path):
    """Language and licence of a row win over the options; missing ones are marked, not guessed."""
    dummies.put(tmp_path / "manifest.tsv", 'audio\ttext\tlicense\nx.wav\tSay "no\tCC0-1.0\nx.wav\tTwo\t\n')
    dummies.put(tmp_path / "x.wav", dummies.encode("WAV", seconds=0.25))
    first, second = read(tmp_path, language="en", license="MIT")
    assert (first["text"], first["license"], first["duration_s"]) == ('Say "no', "CC0-1.0", 0.25)
    assert (second["license"], second["problem"]) == ("MIT", "duplicate_id")
    assert [row["problem"] for row in read(tmp_path)] == ["missing_language", "missing_license"]


def test_utf16_manifest(tmp_path):
    """A manifest that a spreadsheet saved as UTF-16 is read by its byte order mark."""
    dummies.put(tmp_path / "manifest.csv", "audio,text\nx.wav,你好\n".encode("utf-16"))
    dummies.put(tmp_path / "x.wav", dummies.encode("WAV"))
    assert read(tmp_path, language="zh", license="MIT")[0]["text"] == "你好"


@pytest.mark.parametrize(
    "path", ["/etc/passwd", "~/x.wav", "a/../../x.wav", "C:\\x.wav", "file:///x.wav", "s3://b/x.wav", "x\x00.wav"]
)
def test_paths_that_leave_the_corpus_are_not_published(tmp_path, path):
    """A path out of the corpus is a problem, and does not become the row's id either."""
    import json

    dummies.put(tmp_path / "manifest.jsonl", json.dumps({"audio": path, "text": "x"}))
    (row,) = read(tmp_path, language="en", license="MIT")
    assert (row["problem"], row["audio_path"], row["source_id"]) == ("path_outside_corpus", None, "manifest.jsonl:1")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("manifest.csv", "audio,txt\nx.wav,Hi\n", r"manifest\.csv, header: unknown column 'txt'\. Did you mean 'text'\?"),
        ("manifest.csv", "audio,language\nx.wav,en\n", r"header: no column 'text'"),
        ("manifest.csv", "audio,text,text\n", r"a column occurs twice"),
        ("manifest.csv", 'audio,text\nx.wav,"open\ny.wav,Hi\n', r"row 3: .*double quote"),
        ("manifest.csv", "", r"header: no column 'audio'"),
        ("manifest.csv", "audio,text\n", r"no rows"),
        ("manifest.csv", b"\xff\xfea", r"UTF-16"),
        (
            "manifest.jsonl",
            '{"audio": "x.wav", "text": "Hi", "speakr": "a"}\n',
            r"row 1: unknown column 'speakr'. Did you mean 'speaker'",
        ),
        (
            "manifest.jsonl",
            '{"audio": "x.wav", "text": "Hi"}\n{"audio": "y.wav", "text": "a", "text": "b"}\n',
            r"row 2: key 'text' stands twice in one object; name each once",
        ),
        ("other.csv", "audio,text\n", r"holds no manifest"),
    ],
)
def test_hopeless_manifests_are_errors(tmp_path, name, content, message):
    """A manifest that cannot be understood at all says where and what to do."""
    dummies.put(tmp_path / name, content)
    with pytest.raises(DataError, match=message):
        read(tmp_path)


def test_two_manifests_need_a_choice(tmp_path):
    """With two manifests the option decides; without it both are named."""
    dummies.put(tmp_path / "manifest.csv", "audio,text\nx.wav,Hi\n")
    dummies.put(tmp_path / "manifest.jsonl", '{"audio": "x.wav", "text": "Ho"}')
    with pytest.raises(DataError, match=r"manifest\.csv and manifest\.jsonl"):
        read(tmp_path)
    assert read(tmp_path, file="manifest.jsonl")[0]["text"] == "Ho"
    with pytest.raises(DataError, match="is missing"):
        read(tmp_path, file="manifest.tsv")


def test_unknown_option_names_the_nearest():
    """A typo in the recipe's options is found before anything is read."""
    with pytest.raises(RecipeError, match="Did you mean 'license'"):
        plugins.configure("corpus", "manifest", {"licence": "MIT"})


TURNS = [
    # audio, text, dialogue, turn, expected turn, expected problem
    ("1.wav", "Hi.", "d", "1", 1, None),
    ("2.wav", "Hello.", "d", "2", 2, None),
    ("3.wav", "Hello again.", "d", "2", 2, "duplicate_turn"),
    ("4.wav", "Elsewhere.", "e", "02", 2, None),
    ("5.wav", "Zero.", "d", "0", None, "malformed_turn"),
    ("6.wav", "Negative.", "d", "-1", None, "malformed_turn"),
    ("7.wav", "Half.", "d", "2.5", None, "malformed_turn"),
    ("8.wav", "Huge.", "d", "99999999999999999999", None, "malformed_turn"),
    ("9.wav", "Arabic-Indic digit.", "d", "\u0663", None, "malformed_turn"),
    ("10.wav", "No turn.", "d", "", None, "malformed_turn"),
    ("11.wav", "No dialogue.", "", "3", 3, "malformed_turn"),
    ("12.wav", "Alone.", "", "", None, None),
    ("13.wav", "No dialogue, no number.", "", "third", None, "malformed_turn"),
    ("1.wav", "The same row again.", "d", "1", 1, "duplicate_id"),
]


def write_turns(root, form):
    """Write TURNS as a manifest of a form: numbers as JSON has them, where a turn is one."""
    import json

    names = ("audio", "text", "dialogue", "turn")
    rows = [row[:4] for row in TURNS]
    if form == "jsonl":
        filled = [{name: value or None for name, value in zip(names, row, strict=True)} for row in rows]
        for row in filled:
            if row["turn"] in {"1", "2", "0", "-1", "2.5", "99999999999999999999"}:
                row["turn"] = json.loads(row["turn"])
        lines = [json.dumps(row) for row in filled]
    else:
        separator = {"csv": ",", "tsv": "\t"}[form]
        quote = '"' if form == "csv" else ""
        lines = [separator.join(names), *(separator.join(f"{quote}{value}{quote}" for value in row) for row in rows)]
    dummies.put(root / f"manifest.{form}", "\n".join(lines) + "\n")
    for row in rows:
        dummies.put(root / row[0], dummies.encode("WAV"))


@pytest.mark.parametrize("form", ["csv", "tsv", "jsonl"])
def test_turns_of_dialogues(tmp_path, form):
    """A turn needs its dialogue and a whole number from 1 on, and each place is taken once; rows without both are no turns."""
    write_turns(tmp_path, form)
    rows = read(tmp_path, language="en", license="MIT")
    assert [(row["turn"], row["problem"]) for row in rows] == [row[4:] for row in TURNS]
    assert [row["dialogue_id"] for row in rows] == [row[2] or None for row in TURNS]


def test_numbers_as_names_of_dialogues(tmp_path):
    """JSON numbers name dialogues as they name speakers; a turn that is no number at all, or true, is no flat row."""
    lines = ['{"audio": "x.wav", "text": "One", "dialogue": 7, "turn": 1}', '{"audio": "x.wav", "text": "Two", "dialogue": 7, "turn": true}',
             '{"audio": "x.wav", "text": "Three", "dialogue": 7, "turn": [3]}']  # fmt: skip
    dummies.put(tmp_path / "manifest.jsonl", "\n".join(lines))
    dummies.put(tmp_path / "x.wav", dummies.encode("WAV"))
    rows = read(tmp_path, language="en", license="MIT")
    assert [(row["dialogue_id"], row["turn"], row["problem"]) for row in rows] == [
        ("7", 1, None), (None, None, "malformed_row"), (None, None, "malformed_row"),
    ]  # fmt: skip


def test_noise_tags_are_taken_out_where_the_corpus_says_so(tmp_path):
    """What stands in brackets is text, but for the tags that the option lists; a text of tags alone is empty."""
    dummies.put(tmp_path / "manifest.tsv", "audio\ttext\nx.wav\tWell [noise] (so to say) <laugh>yes\ny.wav\t[noise]\n")
    for name in ("x.wav", "y.wav"):
        dummies.put(tmp_path / name, dummies.encode("WAV", seconds=0.25))
    assert read(tmp_path, language="en", license="MIT")[0]["text"] == "Well [noise] (so to say) <laugh>yes"
    tagged, empty = read(tmp_path, language="en", license="MIT", noise_tags=["[noise]", "<laugh>"])
    assert tagged["text"] == "Well (so to say) yes"
    assert empty["problem"] == "empty_text"


def texts_without(tmp_path, tags, *texts):
    """Read a manifest of these texts with these noise tags and return what is left of them."""
    dummies.put(tmp_path / "manifest.tsv", "audio\ttext\n" + "".join(f"x.wav\t{text}\n" for text in texts))
    dummies.put(tmp_path / "x.wav", dummies.encode("WAV", seconds=0.25))
    return [row["text"] for row in read(tmp_path, language="en", license="MIT", noise_tags=tags)]


@pytest.mark.parametrize(
    ("tag", "text", "left"),
    [
        ("um", "umbrella um, the um\u2014sum um", "umbrella , the \u2014sum"),
        ("um", "um-hum um's 'um'", "um-hum um's ' '"),
        ("SIL", "SIL SILVER BASIL SIL", "SILVER BASIL"),
        ("[noise]", "well[noise]then", "well then"),
        ("<um>", "a<um>b", "a b"),
        ("\u5443", "\u6211\u5443\u60f3", "\u6211 \u60f3"),
        ("++", "a ++ b C++", "a b C"),
        ("(hm", "x(hm hmm(hmm", "x hmm(hmm"),
        ("\u00e4h", "\u00e4h \u00e4hnlich z\u00e4h", "\u00e4hnlich z\u00e4h"),
    ],
)
def test_a_noise_tag_is_a_whole_word(tmp_path, tag, text, left):
    """Nothing is cut out of a longer word; brackets and scripts without spaces need no word to end."""
    assert texts_without(tmp_path, [tag], text) == [left]


def test_a_noise_tag_in_the_wrong_case_is_an_error(tmp_path):
    """It would be spoken; where both spellings occur, only the one that is listed is a tag."""
    assert texts_without(tmp_path, ["um", "[x]"], "Um um well", "Um") == ["Um well", "Um"]
    with pytest.raises(DataError, match=r"'\[NOISE\]' stands in no text, but in another case at manifest.tsv:3"):
        texts_without(tmp_path, ["[NOISE]"], "well", "a [noise]")


def test_one_speaker_has_one_name(tmp_path):
    """Blanks around it, invisible characters and the Unicode form make no second one; true is no name."""
    names = ['"Jos\u00e9"', '" Jose\u0301 "', '"Jos\u00e9\u200b"', "1", '" 1"', '" "', "true"]
    rows = [f'{{"audio": "x.wav", "text": "Text {n}", "id": "{n}", "speaker": {name}}}' for n, name in enumerate(names)]
    dummies.put(tmp_path / "manifest.jsonl", "\n".join(rows))
    dummies.put(tmp_path / "x.wav", dummies.encode("WAV"))
    read_rows = read(tmp_path, language="en", license="MIT")
    assert [row["speaker_id"] for row in read_rows] == ["Jos\u00e9"] * 3 + ["1", "1", None, None]
    assert [row["problem"] for row in read_rows] == [None] * 6 + ["malformed_row"]


def test_an_empty_noise_tag_is_refused(tmp_path):
    """It would stand everywhere."""
    with pytest.raises(RecipeError, match="noise_tags must not hold an empty tag"):
        read(tmp_path, language="en", license="MIT", noise_tags=[" "])


BAD_VALUES = {
    # What stands as the text in the second of three rows -> its problem, and in which formats it can stand.
    "half_a_pair": ('"\\ud800"', "undecodable_metadata", "jsonl"),
    "half_a_pair_in_utf8": (b"a\xed\xa0\x80b", "undecodable_metadata", "csv tsv jsonl"),
    "invalid_utf8": (b"caf\xe9", "undecodable_metadata", "csv tsv jsonl"),
    "nested": ("[" * 100_000, "malformed_row", "jsonl"),
    "nested_closed": ("[" * 100_000 + "]" * 100_000, "malformed_row", "jsonl"),
    "nested_objects": ('{"a":' * 100_000, "malformed_row", "jsonl"),
    "nested_text": ("[" * 200_000, "text_too_long", "tsv"),
    "long_csv": ("[" * 200_000, "malformed_row", "csv"),
    "not_a_number": ("NaN", "malformed_row", "jsonl"),
    "infinite": ("-Infinity", "malformed_row", "jsonl"),
    "overflowing": ("1e999", "malformed_row", "jsonl"),
    "long_integer": ("9" * 10_000, "malformed_row", "jsonl"),
    "nul": (b"a\0b", "nul_character", "csv tsv"),
    "nul_in_json": (b'"a\0b"', "malformed_row", "jsonl"),
    "escaped_nul": ('"a\\u0000b"', "nul_character", "jsonl"),
    "quote_out_of_place": ('"a"b', "malformed_row", "csv jsonl"),
    "control_character": ('"a\x01b"', "malformed_row", "jsonl"),
}


@pytest.mark.parametrize(("case", "form"), [(case, form) for case in BAD_VALUES for form in BAD_VALUES[case][2].split()])
def test_a_bad_line_is_one_dropped_row(tmp_path, case, form):
    """It names file and line, and the rows before and after it are read."""
    bad, problem, _ = BAD_VALUES[case]
    bad = bad if isinstance(bad, bytes) else bad.encode()
    if form == "jsonl":
        bad = bad if bad[:1] in b'"[{N-19' else b'"' + bad + b'"'
        rows = [
            b'{"audio": "a.wav", "text": "One"}',
            b'{"audio": "b.wav", "text": ' + bad + b"}",
            b'{"audio": "c.wav", "text": "Two"}',
        ]
    else:
        mark = b"," if form == "csv" else b"\t"
        rows = [mark.join(row) for row in ((b"audio", b"text"), (b"a.wav", b"One"), (b"b.wav", bad), (b"c.wav", b"Two"))]
    dummies.put(tmp_path / f"manifest.{form}", b"\n".join(rows) + b"\n")
    for name in ("a.wav", "b.wav", "c.wav"):
        dummies.put(tmp_path / name, dummies.encode("WAV"))
    found = read(tmp_path, language="en", license="MIT")
    assert [row["problem"] for row in found] == [None, problem, None]
    assert found[1]["source_ref"] == f"manifest.{form}:{2 if form == 'jsonl' else 3}"


@pytest.mark.parametrize("column", ["id", "speaker", "dialogue", "turn", "language", "license", "style", "emotion", "audio"])
@pytest.mark.parametrize("value", ['"\\ud800"', '"a\\u0000"', "NaN", "[[]]", "9" * 10_000, "1e999", "-1e999", '"\\udc80x"'])
def test_a_bad_value_in_any_column_is_one_row(tmp_path, column, value):
    """It is dropped, or (a number as a name) read; never an error, and the next row is read."""
    first = {"audio": '"a.wav"', "text": '"One"'} | {column: value}
    line = "{" + ", ".join(f'"{name}": {text}' for name, text in first.items()) + "}"
    dummies.put(tmp_path / "manifest.jsonl", line + '\n{"audio": "b.wav", "text": "Two"}\n')
    for name in ("a.wav", "b.wav"):
        dummies.put(tmp_path / name, dummies.encode("WAV"))
    bad, good = read(tmp_path, language="en", license="MIT")
    assert bad["problem"] is not None
    assert (good["problem"], good["text"]) == (None, "Two")


def test_half_a_pair_in_utf16_is_one_dropped_row(tmp_path):
    """Spreadsheets on Windows write them."""
    dummies.put(tmp_path / "manifest.csv", "audio,text\na.wav,x\ud800y\na.wav,Two\n".encode("utf-16", "surrogatepass"))
    dummies.put(tmp_path / "a.wav", dummies.encode("WAV"))
    assert [row["problem"] for row in read(tmp_path, language="en", license="MIT")] == ["undecodable_metadata", "duplicate_id"]


def test_a_quote_that_is_never_closed_on_the_last_line_is_one_row(tmp_path):
    """Nothing after it is swallowed, so nothing is in doubt."""
    dummies.put(tmp_path / "manifest.csv", 'audio,text\na.wav,One\na.wav,"open\n')
    dummies.put(tmp_path / "a.wav", dummies.encode("WAV"))
    assert [row["problem"] for row in read(tmp_path, language="en", license="MIT")] == [None, "malformed_row"]


def test_languages_and_licences_have_one_name_each(tmp_path):
    """In rows and in options; what nobody knows drops the row, and stops the recipe."""
    rows = [("EN", "cc-by-4.0"), ("zh-Hans", "MIT"), ("Englsh", "MIT"), ("en", "CC BY 4.0"), ("cmn", "")]
    lines = [f"x.wav\t{number}\tHi\t{language}\t{licence}\n" for number, (language, licence) in enumerate(rows)]
    dummies.put(tmp_path / "manifest.tsv", "audio\tid\ttext\tlanguage\tlicense\n" + "".join(lines))
    dummies.put(tmp_path / "x.wav", dummies.encode("WAV", seconds=0.25))
    found = read(tmp_path, language="English", license="mit")
    assert [(row["language"], row["license"], row["problem"]) for row in found] == [
        ("en", "CC-BY-4.0", None),
        ("zh", "MIT", None),
        ("Englsh", "MIT", "unknown_language"),
        ("en", "CC BY 4.0", "unknown_license"),
        ("zh", "MIT", None),
    ]
    with pytest.raises(RecipeError, match=r"language: there is no language 'Englsh': did you mean 'en' \(english\)\?"):
        read(tmp_path, language="Englsh")
    with pytest.raises(RecipeError, match=r"license: there is no licence 'CC BY 4.0': did you mean 'CC-BY-4.0'\?"):
        read(tmp_path, license="CC BY 4.0")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_several_byte_order_marks_are_one(tmp_path, encoding):
    """Editors and joined files add them; the first column would else have another name."""
    dummies.put(tmp_path / "a.wav", dummies.encode("WAV"))
    text = "\ufeff\ufeffid,audio,text,language,license\na,a.wav,x,en,CC0-1.0\n"
    (tmp_path / "manifest.csv").write_bytes(text.encode(encoding))
    assert [(row["source_id"], row["problem"]) for row in read(tmp_path)] == [("a", None)]


def test_a_header_of_something_else_is_told_in_short(tmp_path):
    (tmp_path / "manifest.csv").write_text(",".join(f"rating.s{n}" for n in range(5000)) + "\n")
    with pytest.raises(DataError, match=r"no column 'audio', it has \[.*\] and 4980 more; the first line") as caught:
        read(tmp_path)
    assert len(str(caught.value)) < 1000
