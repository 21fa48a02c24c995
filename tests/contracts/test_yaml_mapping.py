"""YAML that people write: what it says is what it is taken for, or the line is named."""

import pytest

from contracts.errors import RecipeError
from contracts.json_text import DuplicateKey, json_value
from contracts.yaml_mapping import read_yaml, yaml_value

BOMB = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{new}: &{new} [{', '.join([f'*{old}'] * 10)}]\n" for old, new in zip("abcdefghi", "bcdefghij", strict=True)
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: 2\na: 3", r"line 3, column 1: key 'a' stands twice, in line 1 and again"),
        ("b:\n  - c: 1\n    d: 2\n    c: 1", r"line 4, column 5: key 'c' stands twice, in line 2 and again"),
        ("1: a\ntrue: b", r"line 2, .*key True stands twice, in line 1"),
        ("b: .inf", r"line 1, column 4: \.inf is no number to work with"),
        ("f: {sft: .nan}", r"line 1, .*\.nan is no number"),
        ("b: -.INF", r"is no number to work with"),
        ("[" * 3000, r"line 1, column 51: nested more than 50 deep"),
        ("{a: " * 3000, r"nested more than 50 deep"),
        ("- " * 3000 + "x", r"nested more than 50 deep"),
        (BOMB, r"more than 100000 values with all aliases"),
        ("a: &a [*a]", r"an alias refers to what it is part of"),
        ("a: *b", r"undefined alias 'b'"),
        ("? [a]\n: 1", r"unhashable key"),
        ("seed: " + "9" * 5000, r"line 1, column 7: .* is no int"),
        ("a: !!bool x", r"'x' is no bool"),
        ("a: !!timestamp soon", r"'soon' is no timestamp"),
        ("a: !!python/object/apply:os.system [x]", r"could not determine a constructor"),
        ('a: "\\0"', r"a text with NUL"),
        ('a: "\\uD800"', r"half a surrogate pair"),
        ("a: \0", r"unacceptable character"),
        ("--- 1\n--- 2", r"another document"),
    ],
)
def test_what_is_refused(text, message):
    """One line with the place."""
    with pytest.raises(RecipeError, match=message) as caught:
        yaml_value(text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("version: 2024-13-45", {"version": "2024-13-45"}),
        ("version: 2024-01-02", {"version": "2024-01-02"}),
        ("a: &x {b: 1}\nc:\n  <<: *x\n  b: 2", {"a": {"b": 1}, "c": {"b": 2}}),
        ("a: &a [1, 2]\nb: *a", {"a": [1, 2], "b": [1, 2]}),
        ("a: 1.5e+3\nb: yes\nc: null", {"a": 1500.0, "b": "yes", "c": None}),
        ("[no, off, y, true, FALSE, ~]", ["no", "off", "y", True, False, None]),
        ("[010, 0o10, 0x1F, -7, 1_000, 1:00, 0b11]", [10, 8, 31, -7, "1_000", "1:00", "0b11"]),
        ("[1e3, .5, 2., 1.2.3]", [1000.0, 0.5, 2.0, "1.2.3"]),
        ("no: native", {"no": "native"}),
    ],
)
def test_what_is_read(text, value):
    """Words by YAML 1.2's core schema; a date is what was typed, and a merged key may be overridden."""
    assert yaml_value(text) == value


def test_files(tmp_path):
    """A folder, an empty file, another encoding, a large file: each is said with the file's name; a byte order mark is none."""
    path = tmp_path / "r.yaml"
    for data, message in (
        (b"", "a recipe is a YAML mapping, this is empty"),
        (b"# nothing\n", "this is empty"),
        (b"a: 1\nb: caf\xe9\n", "line 2 has byte 0xe9, which is no UTF-8"),
        ("a: 1".encode("utf-16"), "line 1 has byte 0xff"),
        (bytes(range(256)), "no valid YAML"),
        (b"a: 1\n" + b"# x\n" * 300_000, "at most 1 MiB"),
    ):
        path.write_bytes(data)
        with pytest.raises(RecipeError, match=message) as caught:
            read_yaml(path, "a recipe")
        assert str(path) in str(caught.value)
    path.write_bytes(b"\xef\xbb\xbfa: 1\r\n")
    assert read_yaml(path, "a recipe") == {"a": 1}
    with pytest.raises(RecipeError, match="cannot be read: Is a directory"):
        read_yaml(tmp_path, "a recipe")


def test_json():
    """A key twice, NaN and bottomless nesting are no JSON."""
    assert json_value('{"a": [1, {"b": null}]}') == {"a": [1, {"b": None}]}
    with pytest.raises(DuplicateKey, match="key 'b' stands twice"):
        json_value('{"a": [1, {"b": null, "b": 2}]}')
    for text, message in (('{"a": NaN}', "NaN is no JSON number"), ("[" * 100_000, "nested too deep"), ("{", "Expecting")):
        with pytest.raises(ValueError, match=message):
            json_value(text)
