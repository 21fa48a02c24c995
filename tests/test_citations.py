"""Every place that the code, the recipes or the documents cite of a paper is a place that the paper has."""

import re
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parent.parent
FOLDERS: Final = (
    *(
        "annotate",
        "bench",
        "contracts",
        "corpora",
        "docs",
        "filters",
        "flows",
        "recipes",
        "scoring",
        "splits",
        "storage",
        "synth",
    ),
    "tests",
)

# What is cited and its heading, caption or subject, looked up in the papers.
PLACES: Final = {
    "UniSRM": {
        "Sec. 3": "UniSRM-Data and UniSRM-Bench: Tasks 1 to 4, without numbers of their own",
        "Sec. 5.1": "Evaluation Metrics: accuracy of pairs, Pearson of scores",
        "Sec. 5.5": "Cross-dataset generalization: integer bins, decimal scores for Pearson",
        "Eq. 2": "pairs of all candidates of a text, the recording among them",
        "Eq. 3": "the higher total is better, otherwise B",
        "Eq. 7": "the reward: format, accuracy and reasoning consistency, weighted",
        "Eq. 8": "accuracy of pairwise tasks",
        "Eq. 9": "accuracy of Task 2: distance of the overall score, clamped to [0, 1]",
        "Eq. 10": "reasoning consistency of pairwise tasks: signs per dimension",
        "Eq. 11": "reasoning consistency of Task 2: distance over all aspects",
        "Eq. 12": "advantage: the reward normalised within its group",
        "App. A": "Prompt for UniSRM",
        "App. D": "Model Configuration: the four systems",
        "App. F": "Evidence Groundedness (EG) Analysis",
        "App. G.1": "Data Quality Control: shuffled order, cyclic contradictions",
        "App. G.2": "Human Verification Criteria",
        "App. H": "Multi-turn dialogue setting",
        "Fig. 3": "Prompt template used for Task 1",
        "Fig. 4": "Prompt template used for Task 2",
        "Fig. 5": "Prompt template used for Task 3",
        "Fig. 6": "Prompt template used for Task 4",
        "Fig. 7": "Prompt of generating scenario context",
        "Table 1": "Overall results on UniSRM-Bench",
        "Table 3": "Multi-dimensional results of pair-wise speech preference task",
        "Table 4": "Multi-dimensional results on the QualiSpeech dataset",
        "Table 5": "Multi-dimensional results on the scenario-aware speech preference task",
        "Table 6": "Multi-dimensional results on the dialogue preference task",
        "Table 8": "Task-specific evaluation dimensions",
        "Table 9": "Data statistics",
        "Table 7": "Cross-dataset generalization on speech quality datasets",
        "Table 11": "EG_mean across tasks",
        "Table 12": "Input parity across UniSRM and baselines",
    },
    "SpeechJudge": {
        "Sec. 3.1": "Dataset Construction: models, prompts, pairs",
        "Sec. 3.2": "Human Annotation: text accuracy, CMOS, two annotators and a third, levels of agreement",
        "Sec. 4.1": "Task Description: the evaluation set has full agreement",
        "Sec. 5.1": "Methodology: training data leaves out full disagreement and ties",
        "App. A.1": "Details of Prompt Construction",
        "App. A.2": "Subsets of SpeechJudge-Data: pref, hq (WER gap below 12 %)",
        "App. B": "Human Annotation Details: the guidelines",
        "App. B.1": "Individual Annotator Reliability",
        "App. B.2": "Inter-Annotator Agreement",
        "App. B.3": "Intelligibility Annotation Analysis: text accuracy against WER",
        "App. C": "Details of Evaluation on the SpeechJudge-Eval Benchmark: recognisers, speaker embeddings",
        "App. D.2": "Few-Shot Prompting for AudioLLM Judges",
        "App. F.2": "Quality Analysis of Chain-of-Thought Reasoning: the meta-judge",
        "Fig. 4": "SpeechJudge-GRM: the teacher's prompt and reply",
        "Fig. 8": "From the raw SpeechJudge-Data to its different subsets",
        "Fig. 9": "Distribution of individual annotator agreement rates",
        "Fig. 10": "The relationship between the human-annotated text accuracy and WER",
        "Table 1": "Protocols of different models for naturalness judgment: the teacher's prompt",
        "Table 2": "Accuracy of speech naturalness judgment across different models",
        "Table 3": "Accuracy of speech naturalness judgment of SpeechJudge-GRM, with Voting@10",
        "Table 4": "Distribution of the SpeechJudge-Eval benchmark",
        "Table 5": "Inter-annotator agreement",
        "Table 7": "Performance with different k-shot prompts",
        "Table 8": "Accuracy across language settings, regular",
        "Table 12": "Consistency between CoT reasoning and final conclusion",
    },
    "MOS-RMBench": {
        "Eq. 1": "Accuracy reward: 1 or -1",
        "Eq. 2": "MOS-difference reward",
        "Eq. 3": "MOS-aware reward: their sum",
        "Sec. 3": "MOS-RMBench: sources, preference annotation, statistics",
        "Sec. 3.2": "Preference Annotation: pairs by contents, speakers and systems; labels by MOS",
        "Sec. 4.1": "Evaluation Task: a strictly higher score, order swapped, accuracy",
        "Sec. 4.2": "Evaluated Models: classic scalar, semi-scalar and generative reward models, LLM-as-a-judge",
        "Sec. 5.2": "Error Analysis: percentile bins of the MOS difference",
        "App. B.2": "Prompt Templates",
        "App. C.1": "Human Verification: four people on 100 pairs, and on 100 critiques",
        "App. C.2": "Study of Preference Reversal: triplets, cycle rates",
        "Fig. 5": "Prompt structure to annotate a single-audio critic",
        "Fig. 6": "Prompt structure to annotate a paired-audio critic with scores",
        "Fig. 9": "Prompt structure for LLM-as-a-judge",
        "Table 1": "Statistics of MOS-RMBench across datasets",
        "Table 2": "Evaluation results of models from different paradigms",
        "Table 4": "Pairwise accuracy on the preference-cycle evaluation set",
        "Table 5": "Preference-cycle rate",
    },
}
_KINDS: Final = {"se": "Sec.", "ap": "App.", "eq": "Eq.", "fi": "Fig.", "ta": "Table"}
_NUMBER: Final = r"(?:[A-I]\b(?:\.\d+)?|\d+(?:\.\d+)*)"
_PLACES: Final = (
    r"(?:[Ss]ections?|Sec\.|[Aa]ppendix|[Aa]ppendices|App\.|Eqs?\.|Figs?\.|Tables?) "
    rf"{_NUMBER}(?:(?:, | and ){_NUMBER})*"
)
_CITATION: Final = re.compile(rf"({'|'.join(PLACES)})(?:'s)?,? \(?({_PLACES}(?:(?:,? | and |, and | \(){_PLACES}\)?)*)")


def cited(text: str) -> set[tuple[str, str]]:
    """Return paper and place of each citation that has the paper's name right before it."""
    return {
        (paper, f"{_KINDS[place[:2].lower()]} {number}")
        for paper, places in _CITATION.findall(re.sub(r"\s*\n[ #]*", " ", text))
        for place in re.findall(_PLACES, places)
        for number in re.findall(_NUMBER, place.partition(" ")[2])
    }


def test_citations_are_read():
    """Several places, in either spelling, over line ends."""
    text = "(UniSRM, App. A, Figs. 3,\n5 and 6)\n# Source: SpeechJudge, section 3.2 and\n# appendices B.1 and B.2, and UniSRM's Eq. 3; section 9"
    places = {"UniSRM": ["App. A", "Fig. 3", "Fig. 5", "Fig. 6", "Eq. 3"], "SpeechJudge": ["Sec. 3.2", "App. B.1", "App. B.2"]}
    assert cited(text) == {(paper, place) for paper, some in places.items() for place in some}


def test_every_cited_place_is_one_of_the_paper():
    """A citation that is new here is looked up, and its heading written down above."""
    files = [
        path for folder in FOLDERS for kind in ("py", "md", "yaml", "jinja") for path in (ROOT / folder).rglob(f"*.{kind}")
    ]
    found = {
        (*citation, str(path.relative_to(ROOT)))
        for path in [*files, ROOT / "README.md"]
        if path != Path(__file__)
        for citation in cited(path.read_text())
    }
    assert [(paper, place, path) for paper, place, path in sorted(found) if place not in PLACES[paper]] == []
