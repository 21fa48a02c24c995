"""Well-formed replies to every task's prompts, for servers that stand in for a language model."""

import hashlib
import json
import random
import re
from collections.abc import Sequence
from functools import cache

from annotate.models.parse.negatives import suits
from annotate.models.parse.scorecard import Scorecard, SpeechAssessment
from annotate.models.task import PROMPTS
from annotate.models.tasks import critique, critique_pair, grounded_naturalness, quality, task1, task3, task4, teacher
from annotate.models.tasks.style_continuation import STYLES
from contracts import plugins
from contracts.emotions import EMOTIONS
from scoring.feature import read_table

CARDS = {"task1": task1.CARD, "task3": task3.CARD, "task4": task4.CARD}

# Words for a reply, by language.
_HEARD = {
    "en": ["clear and steady", "a little hurried", "warm, with a short break", "flat towards the end", "lively and close"],
    "zh": ["清楚而平稳", "有些急促", "温暖而略有停顿", "后半句偏平", "生动自然"],
}
_SUMMARY = {
    "en": "One of them keeps its words and its tone together. The other one loses some of both.",
    "zh": "其中一段的字词和语气都更好。另一段则略显逊色。",
}
_SCENE = {
    "en": ("Two friends stand on a platform in the rain.", "The last train has just left. They look at each other and wait."),
    "zh": ("两位朋友站在雨中的站台上。", "末班车刚刚开走。他们互相看着不说话。"),
}
_STYLES = {
    "en": [
        "Formal",
        "Informal",
        "Literary",
        "Journalistic",
        "Advertising",
        "Fantasy",
        "Technical",
        "Humorous",
        "Poetic",
        "Diary",
    ],
    "zh": ["古典", "科幻", "武侠", "新闻", "广告", "童话", "散文", "幽默", "诗歌", "日记"],
}
_GOES_ON = {
    "en": "And so the {} account goes on, past the river and the old mill, until the evening comes and everyone walks home.",
    "zh": "于是这段{}故事继续下去。故事经过小河和老磨坊。直到傍晚来临大家才慢慢走回家。",
}
_NEXT_TURN = {
    "en": "I have never been there, and I do not want to hear about it.",
    "zh": "我从来没有去过那里也不想再听这件事。",
}
_NEGATIVE = {
    "en": "nothing here is as it was yesterday and nobody in the house will say why",
    "zh": "这里的一切都和昨天不一样屋子里的人也都不肯说明原因",
}


@cache
def _first_lines() -> dict[str, tuple[str, str]]:
    """Return the first line of each template -> task, language of the template."""
    return {
        (PROMPTS / template).read_text(encoding="utf-8").partition("\n")[0]: (name, language)
        for name in plugins.names("task")
        for language, template in plugins.configure("task", name).templates.items()
    }


def task_of(prompt: str) -> str:
    """Return the name of the task that a prompt, or its follow-up, belongs to."""
    return _first_lines()[prompt.partition("\n")[0]][0]


def reply_for(prompt: str, audio_count: int, audio: bytes = b"", *, tied: bool = False) -> str:
    """Return a well-formed reply that depends on the prompt and the sound alone.

    Args:
        prompt: the rendered prompt, first or follow-up.
        audio_count: how many clips came with it; another number than the task needs is an ``AssertionError``.
        audio: bytes of the clips, if the reply is to depend on them.
        tied: give both speeches the same score, for the tasks about pairs that score.
    """
    task, spoken = _first_lines()[prompt.partition("\n")[0]]
    labels = plugins.configure("task", task).audios
    fewest = len(labels)
    assert audio_count >= fewest if any("{n}" in label for label in labels) else audio_count == fewest, (task, audio_count)
    seed = hashlib.sha256(prompt.encode() + audio).digest()
    language = _block(prompt, "language")
    language = (language.partition("-")[0] if language else spoken) if spoken == "en" else spoken
    language = language if language in _HEARD else "en"
    if task in CARDS:
        return _card(CARDS[task], seed, spoken, tied=tied)
    if task == "teacher":
        a, b = _differing(seed, 10, 100, tied=tied)
        parts = [_analysis(teacher.CONCLUSION.criteria, seed[8 * n :], f"Output {letter}") for n, letter in enumerate("AB")]
        return "\n\n".join([*parts, f"Output A: {a / 10:.1f}, Output B: {b / 10:.1f}"])
    if task == "naturalness":
        a, b = _differing(seed, 10, 100, tied=tied)
        return f"Output A: {a / 10:.1f}, Output B: {b / 10:.1f}"
    if task == "critique_pair":
        a, b = _differing(seed, 1, 10, tied=tied)
        parts = [_analysis(critique_pair.CONCLUSION.criteria, seed[8 * n :], f"Audio {n + 1}") for n in range(2)]
        return "\n\n".join([*parts, f"Final Scores: [[{a}, {b}]]"])
    if task == "critique":
        return f"{_analysis(critique.CONCLUSION.criteria, seed, 'Audio')}\n\nFinal Score: [[{seed[0] % 10 + 1}]]"
    if task == "better_clip":
        return f"Audio {seed[0] % 2 + 1}"
    if task == "quality":
        return _quality(seed)
    if task == "grounded_naturalness":
        features = f"median F0: {80 + seed[0]} Hz\njitter: 1.20 %"
        reasons = f"The median F0 of {80 + seed[0]} Hz is ordinary, and the jitter of 1.2 % is low."
        content = {"features": features, "rationale": reasons}
        return grounded_naturalness.FORM.compose({"naturalness": 1 + seed[1] % 401 / 100}, content)
    return json.dumps(_content(task, prompt, seed, language), ensure_ascii=False)


def answer(prompt: str, clips: Sequence[tuple[str, bytes]]) -> str:
    """Return a reply to a prompt with these (media type, bytes) clips."""
    return reply_for(prompt, len(clips), b"".join(clip for _, clip in clips))


def _content(task: str, prompt: str, seed: bytes, language: str) -> dict[str, object]:
    if task == "scenario":
        return dict(zip(("scenario_description", "paragraph_context"), _SCENE[language], strict=True))
    if task == "critique_clip":
        words = _HEARD["en"]
        return {name.lower(): f"{words[seed[n] % len(words)]}." for n, name in enumerate(critique_pair.CONCLUSION.criteria)}
    if task == "heard_emotion":
        return {"heard_emotion": EMOTIONS[seed[0] % len(EMOTIONS)]}
    if task == "negative_text":
        original = _block(prompt, "original_text")
        return {"text": _fitting(_shuffled(_NEGATIVE[language], original, language), original, language)}
    if task == "negative_turn":
        text = _fitting(_NEXT_TURN[language], _block(prompt, "true_next_turn"), language)
        return {"text": text, "flaw": ("intent", "consistency")[seed[0] % 2]}
    if task == "clean_text":
        text = _block(prompt, "transcript")
        stop = "" if text[-1:] in ".!?\u3002\uff01\uff1f" else {"en": ".", "zh": "\u3002"}[language]
        return {"text": f"{text[:1].upper()}{text[1:]}{stop}"}
    if task == "style_continuation":
        return _continuations(seed, language)
    if task == "consistency":
        return {"result": int(seed[0] % 10 > 0), "reason": "The end prefers the recording that the reasoning praises."}
    if task == "grounded":
        table = read_table(
            re.findall(r"^<measurements>\n(.*)\n</measurements>$", prompt, re.MULTILINE | re.DOTALL)[0].splitlines()
        )
        cited = " and ".join(
            f"the {one.names[0]} is {one.number} {one.unit}" for one in (table[0], table[seed[0] % len(table)])
        )
        return {"rationale": f"What was measured fits the ratings: {cited}. So they are deserved."}
    assert task == "groundedness", task
    return {"score": seed[0] % 3, "reason": "Some places are named where a flaw can be heard."}


def _continuations(seed: bytes, language: str) -> dict[str, object]:
    other = {"en": "zh", "zh": "en"}[language]
    items = [{"type": style, "content": _GOES_ON[language].format(style)} for style in _STYLES[language]]
    pick = items[seed[0] % STYLES]["content"]
    return {
        "continue": items,
        "random": pick,
        "translation": _GOES_ON[other].format(_STYLES[other][seed[0] % STYLES]),
        "codeSwitching": pick.replace("river", "小河") if language == "en" else pick.replace("小河", "river"),
    }


def _block(prompt: str, name: str) -> str:
    found = re.search(rf"^<{name}>\n(.*)\n</{name}>$", prompt, re.MULTILINE)
    return found[1] if found else ""


def _shuffled(words: str, key: str, language: str) -> str:
    """Return words in an order of the key's own, so that no two originals share their negative."""
    parts, gap = (list(words), "") if language == "zh" else (words.split(), " ")
    return gap.join(random.Random(key).sample(parts, len(parts)))


def _fitting(words: str, original: str, language: str) -> str:
    """Return text of the original's length that passes for a negative of it."""
    parts, gap = (list(words), "") if language == "zh" else (words.split(), " ")
    long = gap.join(parts * (len(original) // len(words) + 2))
    tries = (long[start : start + len(original)].strip() for start in range(len(words)))
    return next((text for text in tries if suits(original, text, language) is None), words)


def _card(card: Scorecard, seed: bytes, language: str, *, tied: bool) -> str:
    names = [dimension.name for dimension in card.dimensions]
    a, b = ([byte % 21 / 2 for byte in seed[start : start + len(names)]] for start in (0, 8))
    if sum(a) == sum(b):
        b[-1] = b[-1] - 0.5 if b[-1] else 0.5
    words = _HEARD[language]
    speeches = [
        SpeechAssessment(
            scores=dict(zip(names, scores, strict=True)),
            explanations={name: words[seed[at + n] % len(words)] for n, name in enumerate(names)},
        )
        for at, scores in ((16, a), (24, a if tied else b))
    ]
    return card.compose(*speeches, _SUMMARY[language])


def _analysis(criteria: Sequence[str], seed: bytes, heading: str) -> str:
    words = _HEARD["en"]
    return "\n".join([f"{heading}:", *(f"- {name}: {words[seed[n] % len(words)]}." for n, name in enumerate(criteria))])


def _quality(seed: bytes) -> str:
    scores = {aspect: seed[n] % 5 + 1 for n, aspect in enumerate(quality.FORM.aspects)}
    words = {field: _HEARD["en"][seed[8 + n] % 5] if seed[n] % 3 else None for n, field in enumerate(quality.FORM.fields)}
    return quality.FORM.compose(
        scores, words | {quality.FORM.paragraph: "The voice keeps its tone. Some of it is hard to follow."}
    )


def _differing(seed: bytes, lowest: int, highest: int, *, tied: bool) -> tuple[int, int]:
    a, b = (lowest + byte % (highest - lowest + 1) for byte in seed[16:18])
    return (a, a) if tied else (a, b if a != b else lowest + (b - lowest + 1) % (highest - lowest + 1))
