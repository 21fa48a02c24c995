"""Scenes that a model wrote are checked against what the request showed: language, the sentence itself, and the emotion's name."""

import json

import pytest

from annotate.models.parse.near_copies import near_copy
from annotate.models.parse.written_language import other_language
from annotate.models.task import ParseError
from annotate.models.tasks.scenario import PLUGIN, check

EN = {"text": "I never thought that you would come back so soon.", "emotion": "Happy", "language": "en"}
ZH = {"text": "我没想到你这么快就回来了。", "emotion": "Happy", "language": "zh"}
SCENE = "Two friends stand on a platform in the rain."
STORY = "The last train has just left. They look at each other and wait. Then a door of the hall opens."
SCENE_ZH = "两位朋友站在雨中的站台上。"
STORY_ZH = "末班车刚刚开走。他们互相看着不说话。这时大厅的门开了。"


def reason(shown, scene, story):
    """Return why a scene is refused; None = it is not."""
    try:
        check(PLUGIN.parse(json.dumps({"scenario_description": scene, "paragraph_context": story})), shown)
    except ParseError as error:
        return error.reason
    return None


@pytest.mark.parametrize(
    ("shown", "scene", "story", "why"),
    [
        (EN, SCENE, STORY, None),
        (ZH, SCENE_ZH, STORY_ZH, None),
        (ZH, "兩位朋友站在雨中的月台上。", "末班車剛剛開走。他們互相看著不說話。", None),  # traditional is Chinese, too
        (ZH | {"language": "zh-Hant"}, SCENE_ZH, STORY_ZH, None),
        (EN, "Anna and Tom meet in a kitchen.", "Maria, José and Lucía wait at the café in Sevilla.", None),
        (EN, SCENE_ZH, STORY, "other_language"),
        (ZH, SCENE_ZH, STORY, "other_language"),
        (EN, SCENE, "Deux amis attendent sur le quai sous la pluie. Le dernier train vient de partir.", "other_language"),
        (EN, "Zwei Freunde stehen im Regen auf dem Bahnsteig und warten.", STORY, "other_language"),
        (ZH, "友達が二人、雨の中で電車を待っている。", STORY_ZH, "other_language"),
        # The sentence as it stands is not rewritten; with a word exchanged, left out or added, it is.
        (EN, SCENE, f"{STORY} “{EN['text']}”", None),
        (EN, SCENE, f"{STORY} I never believed that you would come back so soon.", "utterance_rewritten"),
        (EN, SCENE, f"{STORY} I never thought that you would come back soon.", "utterance_rewritten"),
        (EN, SCENE, f"{EN['text']} And again: I never thought you would come back so very soon.", "utterance_rewritten"),
        (EN, SCENE, f"{STORY} She wonders whether he will come back soon.", None),
        (ZH, SCENE_ZH, f"{STORY_ZH}我没想到他这么快就回来了。", "utterance_rewritten"),
        (ZH, SCENE_ZH, f"{STORY_ZH}我沒想到你這麼快就回來了。", None),  # the sentence itself, in the other script
        # Two names of the emotion are let pass, three are not.
        (EN, f"{SCENE} They are happy.", f"{STORY} Happily, it stops raining.", None),
        (EN, f"{SCENE} They are happy.", f"{STORY} Happiness is rare. She is the happiest of all.", "emotion_named"),
        (EN | {"emotion": "Angry"}, f"{SCENE} He is angry.", f"{STORY} His anger grows. He says angrily:", "emotion_named"),
        (EN | {"emotion": "Sad"}, SCENE, f"{STORY} The saddle, the ambassador and the Sadat road.", None),
        (EN | {"emotion": "Surprise"}, "She is surprised.", f"{STORY} A surprising turn, to everybody's surprise.", "emotion_named"),
        (EN | {"emotion": "Neutral"}, SCENE, STORY, None),
        (EN | {"emotion": "fear"}, "Fear.", f"{STORY} He is fearful. Her fears grow.", "emotion_named"),
        (ZH, f"{SCENE_ZH}他们很高兴。", f"{STORY_ZH}他开心地笑了。真快乐。", "emotion_named"),
        (ZH, f"{SCENE_ZH}他们很高兴。", f"{STORY_ZH}他开心地笑了。", None),
        (ZH | {"emotion": "生气"}, f"{SCENE_ZH}他很生气。", f"{STORY_ZH}他愤怒极了。真气愤。", "emotion_named"),
    ],
)  # fmt: skip
def test_scenes_are_refused_for_what_is_wrong_with_them(shown, scene, story, why):
    assert reason(shown, scene, story) == why


@pytest.mark.parametrize(
    ("sentence", "text", "found"),
    [
        ("Come here now", "Come there now", False),  # three words are no version of anything
        ("Please come here now", "“Please, come HERE, now!”", False),
        ("Could you please close the big window", "Would you please close the big window", True),
        ("Could you please close the big window", "The big window is closed, and you could see the sea", False),
    ],
)
def test_near_copies_are_told_from_copies_and_from_other_sentences(sentence, text, found):
    assert (near_copy(sentence, text) is not None) == found


def test_a_language_that_the_identifier_does_not_know_is_not_judged():
    assert other_language("Deux amis attendent sur le quai sous la pluie.", "tlh") is None
