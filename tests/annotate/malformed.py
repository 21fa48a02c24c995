"""What can go wrong with replies: a well-formed one with one thing replaced, and the counted reason that must come out."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from tests.annotate.good_replies import (
    CLEAN_TEXT,
    CONSISTENCY,
    CONTINUATION,
    CRITIQUE,
    CRITIQUE_CLIP,
    CRITIQUE_PAIR,
    GOOD,
    GROUNDED,
    GROUNDED_NATURALNESS,
    GROUNDEDNESS,
    HEARD_EMOTION,
    NATURALNESS,
    NEGATIVE_TEXT,
    NEGATIVE_TURN,
    QUALITY,
    SCENARIO,
    TASK_1,
    TASK_3,
    TASK_3_ZH,
    TASK_4,
    TEACHER,
    as_json,
)


@dataclass(frozen=True)
class Malformed:
    """One malformed reply: ``old`` in ``good`` replaced by ``new``, once."""

    task: str
    name: str
    good: str
    old: str
    new: str
    reason: str

    @property
    def reply(self) -> str:
        assert self.old in self.good, self.name
        return self.good.replace(self.old, self.new, 1)


REFUSAL = "I'm sorry, but I can't help with that."
ANSWER_4 = "<answer>Speech B is better</answer>"
A3_2 = "2) Scenario Style Match: score=2.5/10; explanation: She sounds cheerful at a funeral."
A4_2 = "- Speaker Consistency: score=4/10; explanation: Higher and younger than in turn 2."
TOTAL_4 = "- Total score for Speech A = 9+4+8+6.5+7 = 34.5"
LAST = "Output A: 7.5, Output B: 2"
FINAL = "Final Scores: [[8, 3]]"

# name, what is replaced, by what, reason
_CHANGES: dict[str, list[tuple[str, str, str, str]]] = {
    TASK_1: [
        ("score in Chinese numerals", "score=8/10", "score=八/10", "score_malformed"),
        ("score with a circled digit", "score=8/10", "score=\u2467/10", "score_malformed"),
        ("scale in full-width digits", "score=8/10", "score=8/\uff11\uff10", "score_malformed"),
        ("half a character", "The same warm voice.", "The same \ud83d voice.", "not_text"),
        ("byte order mark", "<think>", "\ufeff<think>", "text_outside"),
        ("fence inside", "[Speech B]\n", "```\n[Speech B]\n", "total_malformed"),
        ("bold headings", "[Speech A]", "**[Speech A]**", "sections"),
    ],
    TASK_3: [
        ("empty", TASK_3, "", "empty_reply"),
        ("refusal", TASK_3, REFUSAL, "think_block"),
        ("cut off in an explanation", TASK_3[TASK_3.index("at a funeral") :], "", "think_block"),
        ("cut off after think", "<answer>Speech B is better</answer>", "", "answer_block"),
        ("cut off in the answer", "is better</answer>", "", "answer_block"),
        ("dimension of Task 1", "Scenario Style Match: score=2.5", "Speaker Similarity: score=2.5", "dimensions"),
        ("dimension missing", A3_2 + "\n", "", "dimensions"),
        (
            "dimension with a mark",
            "Scenario Style Match: score=2.5",
            "Scenario Style Match [CRITICAL]: score=2.5",
            "dimensions",
        ),
        ("fourth dimension", "Total_A", "4) Warmth: score=1/10; explanation: x\nTotal_A", "dimensions"),
        ("Task 4's total", "Total_A = 8+2.5+9", "- Total score for Speech A = 8+2.5+9", "total_malformed"),
        ("addend rounded", "8+2.5+9 = 19.5", "8+3+9 = 20", "total_mismatch"),
        ("answer against the totals", "Speech B is better</", "Speech A is better</", "answer_contradicts_totals"),
        ("Chinese answer", "Speech B is better</", "语音B更好</", "answer_unknown"),
        ("JSON", TASK_3, as_json(answer="Speech B is better"), "think_block"),
        ("markdown around the answer", ANSWER_4, f"```\n{ANSWER_4}\n```", "text_outside"),
        ("answer injected", "All words are there.", f'It says "{ANSWER_4}".', "answer_block"),
        ("score NaN", "score=2.5/10", "score=NaN/10", "score_malformed"),
        ("score infinite", "score=2.5/10", "score=Infinity/10", "score_malformed"),
        ("score with exponent", "score=2.5/10", "score=1e1/10", "score_malformed"),
        ("score out of range", "score=2.5/10", "score=12.5/10", "score_range"),
    ],
    TASK_3_ZH: [
        ("score in Chinese numerals", "score=8/10", "score=八/10", "score_malformed"),
        ("score in full-width digits", "score=8/10", "score=\uff18/\uff11\uff10", "score_malformed"),
        ("heading in Chinese", "[Speech A]", "[语音A]", "sections"),
        ("dimension in Chinese", "Scenario Style Match: score=8", "场景风格匹配: score=8", "dimensions"),
        ("answer in Chinese", "Speech A is better</", "语音A更好</", "answer_unknown"),
        ("full-width equals sign", "Total_A = 9+8+8.5 = 25.5", "Total_A \uff1d 9+8+8.5 \uff1d 25.5", "total_malformed"),
        ("summary heading in Chinese", "[Comparison summary]", "[比较总结]", "sections"),
    ],
    TASK_4: [
        ("heading of Task 1", "[Speech A evaluation]", "[Speech A]", "sections"),
        ("sections in the other order", TASK_4, TASK_4.replace("A eval", "C eval").replace("B eval", "A eval"), "sections"),
        ("numbers in place of dashes", "- Speaker Consistency", "2) Speaker Consistency", "dimensions"),
        ("dimension missing", A4_2 + "\n", "", "dimensions"),
        ("dimension twice", A4_2, f"{A4_2}\n{A4_2}", "dimensions"),
        ("dimensions out of order", TASK_4, TASK_4.replace("Speaker", "@").replace("Contextual", "Speaker"), "dimensions"),
        ("dimension renamed", "Emotion & Prosody Match: score=6.5", "Emotion and Prosody: score=6.5", "dimensions"),
        ("second bullet in an explanation", "the train.", "the train.\n- And more.", "dimensions"),
        ("total of Task 1", TOTAL_4, "Total_A = 9+4+8+6.5+7 = 34.5", "total_malformed"),
        ("total without dash", TOTAL_4, TOTAL_4.removeprefix("- "), "total_malformed"),
        ("total without sum", TOTAL_4, "- Total score for Speech A = 34.5", "total_malformed"),
        ("total missing", TOTAL_4 + "\n", "", "total_malformed"),
        ("total twice", TOTAL_4, f"{TOTAL_4}\n{TOTAL_4}", "dimensions"),
        ("total of the other speech", "Speech B = 9", "Speech A = 9", "total_malformed"),
        ("score in Arabic digits", "score=4/10", "score=\u0664/10", "score_malformed"),
        ("score below the scale", "score=4/10", "score=-4/10", "score_range"),
        ("explanation empty", "Smooth.", "", "explanation_missing"),
        ("summary empty", TASK_4[TASK_4.index("- Both") : TASK_4.index("\n</think>")], "-", "summary_missing"),
        ("two answers", ANSWER_4, ANSWER_4 * 2, "answer_block"),
        ("nested answer", ANSWER_4, f"<answer>{ANSWER_4}</answer>", "answer_block"),
        ("nested think", "<think>", "<think><think>", "think_block"),
        (
            "tags swapped",
            TASK_4,
            TASK_4.replace("think>", "@").replace("answer>", "think>").replace("@", "answer>"),
            "text_outside",
        ),
        ("answer against the totals", "Speech B is better</", "Speech A is better</", "answer_contradicts_totals"),
    ],
    NATURALNESS: [
        ("refusal", NATURALNESS, REFUSAL, "conclusion_missing"),
        ("one score", ", Output B: 2", "", "conclusion_missing"),
        ("ten times too high", "7.5", "75", "score_range"),
        ("too many decimals", "7.5", "7.555", "score_malformed"),
        ("a remark after the scores", "Output B: 2", "Output B: 2, or rather the other way round", "text_outside"),
    ],
    TEACHER: [
        ("empty", TEACHER, "\n", "empty_reply"),
        ("refusal", TEACHER, REFUSAL, "conclusion_missing"),
        ("cut off before the end", "\n\n" + LAST, "", "conclusion_missing"),
        ("cut off between the scores", ", Output B: 2", "", "conclusion_missing"),
        ("cut off before the last score", LAST, "Output A: 7.5, Output B:", "conclusion_missing"),
        ("three decimals", LAST, "Output A: 7.255, Output B: 2", "score_malformed"),
        ("placeholders", LAST, "Output A: X, Output B: X", "score_malformed"),
        ("score in words", LAST, "Output A: seven, Output B: two", "score_malformed"),
        ("score in Chinese numerals", LAST, "Output A: 七, Output B: 二", "score_malformed"),
        ("score NaN", LAST, "Output A: nan, Output B: 2", "conclusion_missing"),
        ("score infinite", LAST, "Output A: inf, Output B: 2", "conclusion_missing"),
        ("score with exponent", LAST, "Output A: 1e1, Output B: 2", "conclusion_missing"),
        ("score below the scale", LAST, "Output A: 0.9, Output B: 2", "score_range"),
        ("score above the scale", LAST, "Output A: 10.5, Output B: 2", "score_range"),
        ("negative score", LAST, "Output A: -7.5, Output B: 2", "score_range"),
        ("two conclusions", LAST, f"{LAST}\nOutput A: 7, Output B: 2", "conclusion_twice"),
        ("text after, cut off", LAST, f"{LAST}\nI hope this", "text_outside"),
        ("contradicting conclusion before", "Here is", "Output A: 1.0, Output B: 9.0\nHere is", "conclusion_twice"),
        ("conclusion alone", TEACHER, LAST, "rationale_missing"),
        ("criterion missing", TEACHER, TEACHER.replace("Pacing and Rhythm", "Speed"), "criteria_missing"),
        ("Task 1's answer", LAST, "<answer>Speech A is better</answer>", "conclusion_missing"),
    ],
    CRITIQUE_PAIR: [
        ("refusal", CRITIQUE_PAIR, REFUSAL, "conclusion_missing"),
        ("cut off in the brackets", "]]", "]", "conclusion_missing"),
        ("cut off after the first score", ", 3]]", "", "conclusion_missing"),
        ("one score", FINAL, "Final Scores: [[8]]", "conclusion_missing"),
        ("three scores", FINAL, "Final Scores: [[8, 3, 5]]", "conclusion_missing"),
        ("single brackets", FINAL, "Final Scores: [8, 3]", "conclusion_missing"),
        ("decimals", FINAL, "Final Scores: [[8.5, 3]]", "score_malformed"),
        ("zero", FINAL, "Final Scores: [[8, 0]]", "score_range"),
        ("eleven", FINAL, "Final Scores: [[11, 3]]", "score_range"),
        ("leading zero", FINAL, "Final Scores: [[08, 3]]", "score_malformed"),
        ("Arabic digits", FINAL, "Final Scores: [[\u0668, \u0663]]", "score_malformed"),
        ("full-width digits", FINAL, "Final Scores: [[\uff18, \uff13]]", "score_malformed"),
        ("NaN", FINAL, "Final Scores: [[NaN, 3]]", "score_malformed"),
        ("placeholders", FINAL, "Final Scores: [[s1, s2]]", "score_malformed"),
        ("two conclusions", FINAL, f"{FINAL}\n\nFinal Scores: [[3, 8]]", "conclusion_twice"),
        ("fence around the conclusion", FINAL, f"```\n{FINAL}\n```", "text_outside"),
        ("criterion missing", CRITIQUE_PAIR, CRITIQUE_PAIR.replace("Continuity", "Flow"), "criteria_missing"),
        ("conclusion alone", CRITIQUE_PAIR, FINAL, "rationale_missing"),
    ],
    CRITIQUE: [
        ("pair's conclusion", "Final Score: [[6]]", FINAL, "conclusion_missing"),
        ("decimals", "[[6]]", "[[6.5]]", "score_malformed"),
        ("out of range", "[[6]]", "[[0]]", "score_range"),
        ("in words", "[[6]]", "[[six]]", "score_malformed"),
        ("criterion missing", "Distortion", "Damage", "criteria_missing"),
        ("text after", "[[6]]", "[[6]]\nGood enough.", "text_outside"),
    ],
    CRITIQUE_CLIP: [
        ("refusal", CRITIQUE_CLIP, REFUSAL, "not_object"),
        ("scored critique", CRITIQUE_CLIP, CRITIQUE, "not_object"),
        ("rated", "}", ', "score": 7}', "key_unknown"),
        ("criterion missing", ', "continuity": "one short gap after \\"and\\"."', "", "key_missing"),
        ("criterion empty", '"none to be heard."', '""', "value_empty"),
        ("rating in place of words", '"none to be heard."', "9", "value_type"),
        ("of a pair", CRITIQUE_CLIP, f"[{CRITIQUE_CLIP}, {CRITIQUE_CLIP}]", "not_object"),
    ],
    "Audio 1": [
        ("empty", "Audio 1", " ", "empty_reply"),
        ("refusal", "Audio 1", REFUSAL, "no_identifier"),
        ("number alone", "Audio 1", "1", "no_identifier"),
        ("no such clip", "1", "3", "no_identifier"),
        ("letter", "Audio 1", "Audio A", "no_identifier"),
        ("in a sentence", "Audio 1", "Audio 1 is better.", "no_identifier"),
        ("both", "Audio 1", "Audio 1\nAudio 2", "no_identifier"),
        ("denied", "Audio 1", "Not Audio 1", "no_identifier"),
        ("full-width digit", "1", "\uff11", "no_identifier"),
        ("scored", "Audio 1", "Final Scores: [[8, 3]]", "no_identifier"),
    ],
    SCENARIO: [
        ("empty", SCENARIO, "", "empty_reply"),
        ("refusal", SCENARIO, REFUSAL, "not_object"),
        ("array", SCENARIO, f"[{SCENARIO}]", "not_object"),
        ("byte order mark", "{", "\ufeff{", "not_object"),
        ("text before", "{", "Sure! {", "not_object"),
        ("text after", "}", "} I hope it helps.", "text_outside"),
        ("two objects", "}", "}" + SCENARIO, "text_outside"),
        ("fence after text", SCENARIO, f"Here:\n```json\n{SCENARIO}\n```", "not_object"),
        ("fence not closed", SCENARIO, f"```json\n{SCENARIO}", "not_object"),
        ("two fences", SCENARIO, f"```json\n{SCENARIO}\n```\n```json\n{SCENARIO}\n```", "text_outside"),
        ("empty fence", SCENARIO, "```json\n\n```", "empty_reply"),
        ("cut off in a text", SCENARIO[-20:], "", "json_malformed"),
        ("cut off before the brace", "}", "", "json_malformed"),
        ("key missing", SCENARIO[SCENARIO.index(', "para') : -1], "", "key_missing"),
        ("extra key", "}", ', "utterance": "Hello"}', "key_unknown"),
        ("key renamed", "paragraph_context", "paragraphContext", "key_missing"),
        ("duplicate key", "}", ', "scenario_description": "Another."}', "duplicate_key"),
        ("text empty", "A kitchen at night; two sisters read a letter.", " ", "value_empty"),
        ("list in place of text", '"A kitchen at night; two sisters read a letter."', '["A kitchen"]', "value_type"),
        ("null", '"A kitchen at night; two sisters read a letter."', "null", "value_type"),
        ("overlong", "A kitchen", "A kitchen" * 500, "value_long"),
        ("single quotes", SCENARIO, SCENARIO.replace('"', "'"), "json_malformed"),
        ("trailing comma", "}", ",}", "json_malformed"),
        ("comment", "{", "{ // the scene\n", "json_malformed"),
        ("line break in a text", "night; two", "night;\ntwo", "json_malformed"),
        ("null character", "night;", "night;\\u0000", "not_text"),
        ("half a character", "night;", "night;\\ud83d", "not_text"),
        ("hidden text", "night;", "night;\\udb40\\udc41", "not_text"),
    ],
    NEGATIVE_TEXT: [
        ("bare text", NEGATIVE_TEXT, "The letter smells of fresh paint.", "not_object"),
        ("string", NEGATIVE_TEXT, '"The letter smells of fresh paint."', "not_object"),
        ("text empty", NEGATIVE_TEXT, '{"text": ""}', "value_empty"),
        ("nested", NEGATIVE_TEXT, '{"text": {"text": "x"}}', "value_type"),
        ("empty object", NEGATIVE_TEXT, "{}", "key_missing"),
    ],
    NEGATIVE_TURN: [
        ("flaw unknown", '"consistency"', '"speaker"', "value_range"),
        ("flaw in upper case", '"consistency"', '"Consistency"', "value_range"),
        ("both flaws", '"consistency"', '["intent", "consistency"]', "value_type"),
        ("flaw missing", ', "flaw": "consistency"', "", "key_missing"),
    ],
    CLEAN_TEXT: [
        ("bare text", CLEAN_TEXT, "A panda eats shoots and leaves.", "not_object"),
        ("explained", "}", ', "changes": "shoes to shoots"}', "key_unknown"),
        ("number", '"A panda eats shoots and leaves."', "7", "value_type"),
        ("infinity", '"A panda eats shoots and leaves."', "-Infinity", "json_malformed"),
    ],
    CONTINUATION: [
        (
            "nine continuations",
            ', {"type": "Diary", "content": "The Diary bear goes home along the river."}',
            "",
            "item_count",
        ),
        (
            "an item left out behind its comma",
            '{"type": "Diary", "content": "The Diary bear goes home along the river."}',
            "",
            "json_malformed",
        ),
        ("eleven continuations", '"continue": [', '"continue": [{"type": "x", "content": "x"}, ', "item_count"),
        (
            "no continuation",
            CONTINUATION,
            '{"continue": [], "random": "x", "translation": "x", "codeSwitching": "x"}',
            "item_count",
        ),
        (
            "strings in the list",
            '{"type": "Formal", "content": "The Formal bear goes home along the river."}',
            '"x"',
            "value_type",
        ),
        ("key of another shape", '"type": "Formal"', '"style": "Formal"', "key_missing"),
        (
            "object in place of the list",
            CONTINUATION,
            '{"continue": {}, "random": "", "translation": "", "codeSwitching": ""}',
            "value_type",
        ),
        ("style twice", '"type": "Informal"', '"type": "formal"', "styles_repeated"),
        ("continuation twice", "The Informal bear", "The Formal bear", "styles_repeated"),
        ("pick changed", '"random": "The Fantasy', '"random": "A Fantasy', "random_unknown"),
        ("not translated", "奇幻的熊沿着河回家了。", "The bear goes home.", "translation_script"),
        ("not switched", "The Fantasy 熊 goes home along the 河.", "The Fantasy bear goes home.", "one_script"),
        ("switched wholly", "The Fantasy 熊 goes home along the 河.", "奇幻的熊沿着河回家了。", "one_script"),
        ("key in snake case", '"codeSwitching"', '"code_switching"', "key_missing"),
    ],
    QUALITY: [
        ("text around it", "<think>", "Here it is:\n<think>", "text_outside"),
        ("two answers", "</answer>", "</answer><answer>noise=1;</answer>", "answer_block"),
        ("no answer", "<answer>", "", "answer_block"),
        ("headings exchanged", "[Aspect descriptions]", "[Natural language description]", "sections"),
        ("text before the headings", "[Aspect descriptions]", "Well.\n[Aspect descriptions]", "sections"),
        ("text before the first line", "Noise description:", "hum\nNoise description:", "sections"),
        ("description left out", 'Unnatural pause: before "never", 0.8 s\n', "", "sections"),
        ("description twice", "Distortion description: None", "Noise description: None", "sections"),
        ("description empty", "Distortion description: None", "Distortion description:", "description_missing"),
        (
            "no paragraph",
            "A hum lies under the first words. The voice itself is clear, and one pause breaks the sentence.\n",
            "",
            "description_missing",
        ),
        (
            "paragraph says nothing",
            "A hum lies under the first words. The voice itself is clear, and one pause breaks the sentence.",
            "None.",
            "description_missing",
        ),
        ("heading in the text", "before", "[Aspect descriptions] before", "heading_in_text"),
        ("tag in the text", "before", "< think > before", "tag_in_text"),
        ("another score in the text", "A hum lies", "With noise=1, a hum lies", "text_contradicts_scores"),
        ("aspect left out", " speed=4;", "", "scores_malformed"),
        ("aspects in another order", "noise=3; distortion=5;", "distortion=5; noise=3;", "scores_malformed"),
        ("decimal", "overall=4", "overall=4.0", "scores_malformed"),
        ("half", "overall=4", "overall=3.5", "scores_malformed"),
        ("words", "overall=4", "overall=four", "scores_malformed"),
        ("full-width digit", "overall=4", "overall=\uff14", "scores_malformed"),
        ("out of five", "overall=4", "overall=4/5", "scores_malformed"),
        ("nought", "overall=4", "overall=0", "score_range"),
        ("six", "overall=4", "overall=6", "score_range"),
        ("negative", "overall=4", "overall=-4", "score_range"),
        ("one more", "overall=4;", "overall=4; fun=1;", "scores_malformed"),
    ],
    CONSISTENCY: [
        ("true", '"result": 1', '"result": true', "value_type"),
        ("text", '"result": 1', '"result": "1"', "value_type"),
        ("decimal", '"result": 1', '"result": 1.0', "value_type"),
        ("exponent", '"result": 1', '"result": 1e0', "value_type"),
        ("out of range", '"result": 1', '"result": 2', "value_range"),
        ("negative", '"result": 1', '"result": -1', "value_range"),
        ("huge", '"result": 1', f'"result": {"1" * 5000}', "value_range"),
        ("NaN", '"result": 1', '"result": NaN', "json_malformed"),
        ("full-width digit", '"result": 1', '"result": \uff11', "json_malformed"),
        ("no reason", ', "reason": "A is described as worse and gets the lower score."', "", "key_missing"),
        ("nested too deep", CONSISTENCY, '{"result": ' + "[" * 50_000, "json_malformed"),
        ("overlong reply", CONSISTENCY, '{"result": 1, "reason": "' + "x" * 100_000 + '"}', "reply_long"),
    ],
    GROUNDEDNESS: [
        ("three", '"score": 2', '"score": 3', "value_range"),
        ("half", '"score": 2', '"score": 1.5', "value_type"),
        ("null", '"score": 2', '"score": null', "value_type"),
        ("Infinity", '"score": 2', '"score": Infinity', "json_malformed"),
        ("duplicate score", '"score": 2', '"score": 0, "score": 2', "duplicate_key"),
        ("Chinese numeral", '"score": 2', '"score": 二', "json_malformed"),
    ],
    GROUNDED_NATURALNESS: [
        ("no answer", "<answer>naturalness=4.33;</answer>", "", "answer_block"),
        ("of ten", "naturalness=4.33;", "naturalness=4.33/5;", "scores_malformed"),
        ("in words", "naturalness=4.33;", "naturalness=four;", "scores_malformed"),
        ("too high", "naturalness=4.33;", "naturalness=10;", "score_range"),
        ("number that is no feature", "a jitter of 1.2 %", "a jitter of 2.1 %", "number_not_measured"),
        ("feature without a value", "jitter: 1.20 %", "jitter: low", "features_malformed"),
        ("headings exchanged", "[Reasoning]", "[Acoustic features]", "sections"),
    ],
    HEARD_EMOTION: [
        ("another word", '"angry"', '"furious"', "value_range"),
        ("a number", '"angry"', "1", "value_type"),
        ("a list", '"angry"', '["angry", "sad"]', "value_type"),
        ("with a reason", "}", ', "reason": "loud"}', "key_unknown"),
    ],
    GROUNDED: [
        ("bare text", GROUNDED, "The median F0 of 182 Hz is ordinary.", "not_object"),
        ("with a score", "}", ', "score": 4}', "key_unknown"),
        ("list of sentences", '"The median', '["The median', "json_malformed"),
        ("empty", GROUNDED, '{"rationale": " "}', "value_empty"),
        ("overlong", "lively", "lively " * 1000, "value_long"),
    ],
}


def _all() -> Iterator[Malformed]:
    for task, replies in GOOD.items():
        for reply in replies:
            for name, old, new, reason in _CHANGES.get(reply, []):
                yield Malformed(task=task, name=name, good=reply, old=old, new=new, reason=reason)


MALFORMED = list(_all())


ABSURD_COUNTS: list[object] = [
    *(-1, -(2**63), 0, True, False, "12", "abc", 1.5, 12.0, math.nan, math.inf, -math.inf, 1e300),
    *(10**9, 2**31, 2**63 - 1, 2**63, 2**64 - 1, 10**4000, [], [7], {}, {"value": 7}),
]
"""What no count of tokens of a small request with an answer can be; null and an absent field say nothing either."""

ABSURD_NAMES: list[object] = [7, 1.5, True, [], ["m"], {}, {"name": "m"}]
"""What no name is."""
