"""The section ``listening``: what does not fit is said before anything runs."""

import datetime as dt

import pytest

from contracts.errors import DataError, RecipeError, SetupError
from contracts.plugins import configure
from flows.listening.gold_items import read_gold
from flows.listening.store import missed_deadline, open_store, store_place
from flows.recipe.listening_checks import terms_of
from flows.recipe.listening_section import literals
from flows.recipe.load import load
from flows.run.pipeline import open_build
from tests.flows.recipe.test_load import changed

FULL = {"protocol": "unisrm", "rules": [{"name": "too_fast", "options": {"min_items": 30}}]}


def asking(**changes):
    return lambda literals: literals.update(listening=FULL | changes)


def test_what_the_recipe_says_becomes_the_terms(tmp_path):
    """Defaults are the papers': splits rl and bench, en proficient and zh native, half an hour."""
    said = {"protocol": {"name": "unisrm", "options": {"max_plays": 3}}, "lease_minutes": 10}
    recipe = load(changed(tmp_path, lambda r: r.update(listening=said)))
    assert recipe.listening.splits == ("rl", "bench")
    terms = terms_of(recipe)
    assert (terms.protocol_name, terms.protocol.max_plays, terms.lease_s) == ("unisrm", 3, 600)
    assert terms.languages == {"en": "proficient", "zh": "native"}
    assert terms.seed == recipe.seed


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (asking(protocoll="x"), r"listening\.protocoll: unknown key, did you mean 'protocol'\?"),
        (asking(protocol="unisrn"), r"unknown protocol 'unisrn'\. Did you mean 'unisrm'\?"),
        (asking(protocol={"name": "unisrm", "options": {"max_play": 1}}), r"no option 'max_play'\. Did you mean 'max_plays'\?"),
        (asking(rules=[{"name": "to_fast"}]), r"unknown listener_rule 'to_fast'\. Did you mean 'too_fast'\?"),
        (asking(rules=[{"name": "too_fast"}, {"name": "too_fast"}]), r"listening\.rules: too_fast is named twice"),
        (asking(rules=[{"name": "too_fast", "options": {"max_share": 2}}]), r"listener_rule 'too_fast'"),
        (asking(protocol="rating"), r"'rating' is for of: samples, not splits"),
        (asking(of="samples"), r"'unisrm' is for of: pairs, splits or check, not samples"),
        (asking(protocol="acceptance", of="pairs"), r"'acceptance' is for of: critiques, not pairs"),
        (asking(of="critiques"), r"'unisrm' is for of: pairs, splits or check, not critiques"),
        (
            asking(protocol="acceptance", of="critiques"),
            r"listening\.of: nobody writes critiques of pairs: it is for recipes with",
        ),
        (asking(protocol="speechjudge"), r"'speechjudge' cannot verify labels: take unisrm"),
        (asking(of="pairs", verification={"votes": 5}), r"listening\.verification is for of: splits"),
        (asking(verification={"votes": 5}), r"listening\.verification: votes: 5 are needed, but protocol 'unisrm' asks for 3"),
        (
            lambda r: (
                asking(of="pairs")(r),
                r["filters"].append({"name": "human_verification", "options": {"votes": 5}}),
            ),
            r"filters: human_verification: votes: 5 are needed, but protocol 'unisrm' asks for 3",
        ),
        (asking(verification={"votes": 4}), r"filter 'human_verification'"),
        (asking(languages={"en": "fluent"}), r"listening\.languages\.en"),
        (asking(languages={"mixed": "native"}), r"'mixed' is none"),
        (asking(gold="gold.xlsx"), r"gold\.xlsx must end in \.csv or \.jsonl"),
        (asking(lease_minutes=0), r"listening\.lease_minutes"),
        (asking(store="postgresql://me:canary@host/db"), r"store must not show a login"),
        (asking(store="listening.db"), r"store must be a \$VARIABLE"),
        (
            lambda r: r["filters"].append({"name": "agreement"}),
            r"'agreement' reads people's votes: add listening with of: pairs",
        ),
        (
            lambda r: (asking()(r), r["filters"].append({"name": "cmos_to_preference"})),
            r"'cmos_to_preference' reads people's votes: add listening with of: pairs",
        ),
        (
            lambda r: (asking(of="pairs")(r), r["filters"].append({"name": "agreement"})),
            r"'agreement' cannot read votes by 'unisrm': take the protocol speechjudge",
        ),
        (asking(of="pairs"), r"votes would decide nothing: add human_verification to filters"),
        (asking(of="pairs", protocol="speechjudge"), r"votes would decide nothing: add cmos_to_preference to filters"),
        (
            lambda r: (asking(of="pairs", protocol="speechjudge")(r), r["filters"].append({"name": "agreement"})),
            r"add cmos_to_preference to filters, which makes the labels",
        ),
        (asking(splits=["rl", "rl"]), r"splits: rl is named twice"),
        (asking(languages={"en-US": "native", "en": "basic"}), r"'en' and 'en-US' are one language, en: keep one"),
        *(
            (asking(incomplete="drop", deadline=wrong), rf"listening\.deadline: {wrong} is no date: write 2027-01-31")
            for wrong in (20270131, 2027, 2027.5, True, "20270131", "soon")
        ),
        (asking(incomplete="drop", deadline="2027-02-30"), r"listening\.deadline"),
        (asking(gold="$NOPE/gold.csv"), r"listening\.gold: \$NOPE/gold\.csv: the variable NOPE is not set"),
        (
            lambda r: (asking()(r), r["splits"].update(fractions={"sft": 0.5, "rl": 0.5})),
            r"listening\.splits: bench: splits makes rl, sft only",
        ),
    ],
)
def test_what_does_not_fit_is_named(tmp_path, change, message):
    """One line, with file and field, that shows no password."""
    with pytest.raises(RecipeError, match=message) as caught:
        load(changed(tmp_path, change))
    assert "canary" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_store_comes_from_a_variable(tmp_path, monkeypatch):
    """The URL is read where it is needed, and what is recorded of the recipe does not hold it."""
    path = changed(tmp_path, asking(store="$LISTENING_DB"))
    monkeypatch.delenv("LISTENING_DB", raising=False)
    build = open_build(path, str(tmp_path / "ws"))
    with pytest.raises(SetupError, match=r"\$LISTENING_DB must hold a postgresql:// URL"):
        store_place(build)
    monkeypatch.setenv("LISTENING_DB", "postgresql://me:canary@host/db")
    assert store_place(build) == "postgresql://me:canary@host/db"
    assert terms_of(build.recipe).test == build.recipe.name, "a database says whose test it holds"
    assert "canary" not in str(build.recipe.model_dump())
    assert "store" not in literals(build.recipe.listening)
    bucket = open_build(changed(tmp_path, asking()), "memory://bucket/ws")
    assert terms_of(bucket.recipe).test == ""
    with pytest.raises(SetupError, match=r"set listening\.store to a \$VARIABLE"):
        store_place(bucket)


def test_gold_files_are_read_in_both_forms(tmp_path):
    """CSV with | between values, also as Excel writes it, and JSONL with lists."""
    (tmp_path / "g.csv").write_text("\ufeffpair_id,values,note\np1,A|B,either\np2,B,\n", encoding="utf-8")
    (tmp_path / "g.jsonl").write_text('{"pair_id": "p1", "values": ["A", "B"]}\n\n{"pair_id": "p2", "values": ["B"]}\n')
    for name in ("g.csv", "g.jsonl"):
        found = read_gold(str(tmp_path / name), "pair_id", configure("protocol", "unisrm"))
        assert found == {"p1": ("A", "B"), "p2": ("B",)}
    assert read_gold(None, "pair_id", configure("protocol", "unisrm")) == {}


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("g.csv", "pair_id,values\np1,C\n", r"g\.csv, row 2: gold value 'C' is none of A, B, invalid"),
        ("g.csv", "pair,values\np1,A\n", r"row 2: wants pair_id and values, got pair, values"),
        ("g.csv", "pair_id,values\np1,A\np1,B\n", r"row 3: pair_id p1 is named twice"),
        ("g.csv", "pair_id,values\np1,\n", r"row 2: wants pair_id and values"),
        ("g.csv", "pair_id,values,values\np1,A,B\n", r"row 1: column 'values' stands twice"),
        ("g.csv", "pair_id,values\np1," + "A" * 200_000, r"row 2: no valid CSV: field larger than field limit"),
        ("g.jsonl", '\n{"pair_id": "p1", "values": ["A"], "values": ["B"]}', r"row 2: no JSON: key 'values' stands twice"),
        ("g.jsonl", "[" * 100_000, r"row 1: no JSON: nested too deep"),
        ("g.jsonl", "{", r"row 1: no JSON"),
        ("g.jsonl", "[1]", r"row 1: wants an object, got list"),
        ("g.jsonl", '{"pair_id": 3, "values": ["A"]}', r"row 1: wants pair_id and values"),
    ],
)
def test_what_is_wrong_in_a_gold_file_is_named(tmp_path, name, text, message):
    (tmp_path / name).write_text(text)
    with pytest.raises(DataError, match=message):
        read_gold(str(tmp_path / name), "pair_id", configure("protocol", "unisrm"))


def test_a_gold_file_that_is_not_there(tmp_path):
    with pytest.raises(RecipeError, match="cannot be read"):
        read_gold(str(tmp_path / "none.csv"), "pair_id", configure("protocol", "unisrm"))


def test_a_day_ends_at_its_end(tmp_path):
    """A date alone is over at midnight UTC; a time is taken as it stands."""
    day, time, zoned = (
        load(changed(tmp_path, asking(incomplete="drop", deadline=said))).listening
        for said in ("2027-01-31", "2027-01-31T18:00", "2027-01-31T18:00+08:00")
    )
    assert not day.is_over(dt.datetime(2027, 1, 31, 23, 59, 59, tzinfo=dt.UTC))
    assert day.is_over(dt.datetime(2027, 2, 1, tzinfo=dt.UTC))
    assert time.is_over(dt.datetime(2027, 1, 31, 18, tzinfo=dt.UTC))
    assert zoned.is_over(dt.datetime(2027, 1, 31, 10, tzinfo=dt.UTC))


def test_a_test_that_ended_before_it_began_is_told(tmp_path):
    """Once it has a store, it is known to have been asked."""
    build = open_build(changed(tmp_path, asking(incomplete="drop", deadline="2020-01-01")), str(tmp_path / "ws"))
    assert "listening.deadline: 2020-01-02T00:00:00+00:00 has passed, and nobody was asked" in missed_deadline(build)
    open_store(build).close()
    assert missed_deadline(build) is None
    waiting = open_build(changed(tmp_path, asking(incomplete="drop", deadline="2999-01-01")), str(tmp_path / "other"))
    assert missed_deadline(waiting) is None
