"""Well-formed replies to every task, written by hand."""

import json

TASK_1 = """<think>
[Speech A]
1) Text Fidelity & Intelligibility: score=9/10; explanation: Every word is there.
2) Speaker Similarity to Prompt Speech: score=8/10; explanation: The same warm voice.
3) Prosody & Expressiveness Appropriateness: score=7.5/10; explanation: Lively; well paced.
4) Naturalness & Audio Quality: score=10/10; explanation: No artefacts: clean.
Total_A = 9+8+7.5+10 = 34.5
[Speech B]
1) Text Fidelity & Intelligibility: score=7/10; explanation: One word is slurred.
2) Speaker Similarity to Prompt Speech: score=3/10; explanation: Another voice.
3) Prosody & Expressiveness Appropriateness: score=5/10; explanation: Flat.
4) Naturalness & Audio Quality: score=6/10; explanation: A slight buzz.
Total_B = 7+3+5+6 = 21
[Comparison summary]
- Speech A keeps the voice and the words. Speech B buzzes and sounds like someone else.
</think><answer>Speech A is better</answer>"""

TASK_3 = """<think>
[Speech A]
1) Text Fidelity & Intelligibility: score=8/10; explanation: All words are there.
2) Scenario Style Match: score=2.5/10; explanation: She sounds cheerful at a funeral.
3) Naturalness & Audio Quality: score=9/10; explanation: A person in a quiet room.
Total_A = 8+2.5+9 = 19.5
[Speech B]
1) Text Fidelity & Intelligibility: score=8/10; explanation: All words are there.
2) Scenario Style Match: score=9/10; explanation: Low, slow and close to tears.
3) Naturalness & Audio Quality: score=8.5/10; explanation: A short click at the end.
Total_B = 8+9+8.5 = 25.5
[Comparison summary]
- Speech B grieves as the scene asks for. Speech A does not.
</think><answer>Speech B is better</answer>"""

TASK_3_ZH = """<think>
[Speech A]
1) Text Fidelity & Intelligibility: score=9/10; explanation: 字词完整清楚。
2) Scenario Style Match: score=8/10; explanation: 语气惊喜而急切。符合重逢的场景。
3) Naturalness & Audio Quality: score=8.5/10; explanation: 像真人说话。
Total_A = 9+8+8.5 = 25.5
[Speech B]
1) Text Fidelity & Intelligibility: score=9/10; explanation: 字词完整。
2) Scenario Style Match: score=3/10; explanation: 语气平淡。
3) Naturalness & Audio Quality: score=7/10; explanation: 略带机械感。
Total_B = 9+3+7 = 19
[Comparison summary]
- 第一段的情绪与场景一致。第二段听起来无动于衷。
</think><answer>Speech A is better</answer>"""

TASK_4 = """<think>
[Speech A evaluation]
- Intent Matching & Dialogue Act: score=9/10; explanation: It answers the question about the train.
- Speaker Consistency: score=4/10; explanation: Higher and younger than in turn 2.
- Contextual Consistency: score=8/10; explanation: Nothing contradicts turn 1.
- Emotion & Prosody Match: score=6.5/10; explanation: Calm where worry is due.
- Overall Naturalness: score=7/10; explanation: Smooth.
- Total score for Speech A = 9+4+8+6.5+7 = 34.5
[Speech B evaluation]
- Intent Matching & Dialogue Act: score=9/10; explanation: It answers the question.
- Speaker Consistency: score=9.5/10; explanation: The voice of turn 2.
- Contextual Consistency: score=8/10; explanation: Nothing contradicts turn 1.
- Emotion & Prosody Match: score=8/10; explanation: Audibly worried.
- Overall Naturalness: score=8/10; explanation: A person in this dialogue.
- Total score for Speech B = 9+9.5+8+8+8 = 42.5
[Comparison summary]
- Both say the right thing. Only Speech B says it in the voice of turn 2.
</think><answer>Speech B is better</answer>"""

TEACHER = """Here is the analysis of both outputs.

Output A:
- Prosody and Intonation: The melody follows the sentence.
- Pacing and Rhythm: Even, with a pause before the name.
- Articulation and Clarity: Every word is distinct.
- Overall Naturalness: Close to a person.

Output B:
- Prosody and Intonation: Flat to the end.
- Pacing and Rhythm: It breaks off twice.
- Articulation and Clarity: "Thirty" is slurred.
- Overall Naturalness: Clearly a machine.

Output A: 7.5, Output B: 2"""

NATURALNESS = "Output A: 7.5, Output B: 2"

CRITIQUE_PAIR = """Audio 1
1. Noise: none.
2. Distortion: a little hiss on every s.
3. Naturalness: like a person reading.
4. Continuity: smooth.

Audio 2
1. Noise: traffic throughout.
2. Distortion: none.
3. Naturalness: robotic.
4. Continuity: two gaps after the first second.

Final Scores: [[8, 3]]"""

CRITIQUE = """1. Noise: a faint fan behind the voice.
2. Distortion: none to be heard.
3. Naturalness: the vowels are those of a person.
4. Continuity: one short gap after "and".

Final Score: [[6]]"""


QUALITY = """<think>
[Aspect descriptions]
Noise description: a faint hum, 0.0-1.2 s
Distortion description: None
Unnatural pause: before "never", 0.8 s
Feeling of voice: calm, close to the microphone

[Natural language description]
A hum lies under the first words. The voice itself is clear, and one pause breaks the sentence.
</think><answer>noise=3; distortion=5; speed=4; continuity=3; naturalness=4; listening_effort=4; overall=4;</answer>"""


def as_json(**content: object) -> str:
    return json.dumps(content, ensure_ascii=False)


CRITIQUE_CLIP = as_json(
    noise="a faint fan behind the voice.",
    distortion="none to be heard.",
    naturalness="the vowels are those of a person.",
    continuity='one short gap after "and".',
)
SCENARIO = as_json(
    scenario_description="A kitchen at night; two sisters read a letter.",
    paragraph_context="They had waited for weeks. Now the envelope lay open between them.",
)
SCENARIO_ZH = as_json(
    scenario_description="深夜的厨房里\uff0c两姐妹在读一封信。",
    paragraph_context="她们等了好几个星期。信封终于打开\uff0c放在两人中间。",
)
NEGATIVE_TEXT = as_json(text="The letter smells of fresh paint, let us go dancing.")
NEGATIVE_TURN = as_json(text="I told you I have never had a dog.", flaw="consistency")
CLEAN_TEXT = as_json(text="A panda eats shoots and leaves.")
CONSISTENCY = as_json(result=1, reason="A is described as worse and gets the lower score.")
GROUNDEDNESS = as_json(score=2, reason="It names two words and the places where the voice breaks.")
GROUNDED = as_json(rationale="The median F0 of 182 Hz moves over 9.3 semitones, so the reading is lively.")
GROUNDED_NATURALNESS = """<think>
[Acoustic features]
median F0 (median pitch): 182 Hz
F0 range (pitch range): 9.3 semitones
jitter: 1.20 %

[Reasoning]
The F0 range of 9.3 semitones is lively, and a jitter of 1.2 % is low for a reader, so the voice is clear.
</think><answer>naturalness=4.33;</answer>"""

_STYLES = ["Formal", "Informal", "Literary", "Journalistic", "Advertising", "Fantasy", "Noir", "Comic", "Lyric", "Diary"]
CONTINUATION = as_json(
    **{
        "continue": [{"type": style, "content": f"The {style} bear goes home along the river."} for style in _STYLES],
        "random": "The Fantasy bear goes home along the river.",
        "translation": "奇幻的熊沿着河回家了。",
        "codeSwitching": "The Fantasy 熊 goes home along the 河.",
    }
)
_STYLES_ZH = ["古典", "科幻", "武侠", "新闻", "广告", "童话", "散文", "幽默", "诗歌", "日记"]
CONTINUATION_ZH = as_json(
    **{
        "continue": [{"type": style, "content": f"这只{style}里的熊沿着河回家了。"} for style in _STYLES_ZH],
        "random": "这只武侠里的熊沿着河回家了。",
        "translation": "The wandering bear went home along the river.",
        "codeSwitching": "这只武侠里的 bear 沿着 river 回家了。",
    }
)

HEARD_EMOTION = as_json(heard_emotion="angry")

GOOD: dict[str, list[str]] = {
    "task1": [TASK_1, TASK_1.replace("score=8/10", "score=0.25/10").replace("9+8+7.5+10 = 34.5", "9+0.25+7.5+10 = 26.75")],
    "task3": [TASK_3, TASK_3_ZH],
    "task4": [TASK_4, TASK_4.replace("Only Speech B", "Speech A is better in nothing; only Speech B")],
    "teacher": [TEACHER, TEACHER.replace("Output A: 7.5, Output B: 2", "Output A: 1, Output B: 10")],
    "naturalness": [NATURALNESS, "Both were heard twice.\n\nOutput A: 1, Output B: 10"],
    "critique_pair": [CRITIQUE_PAIR, CRITIQUE_PAIR.replace("[[8, 3]]", "[[1, 10]]")],
    "critique": [CRITIQUE, CRITIQUE.replace("[[6]]", "[[10]]")],
    "critique_clip": [CRITIQUE_CLIP, CRITIQUE_CLIP.replace("none to be heard", 'the label \\"Audio 1\\" is read out')],
    "better_clip": ["Audio 1", "Audio 2"],
    "quality": [QUALITY, QUALITY.replace("None", "clipped at the end").replace("overall=4", "overall=1")],
    "scenario": [SCENARIO, SCENARIO_ZH],
    "negative_text": [NEGATIVE_TEXT, as_json(text="信纸有油漆味\uff0c我们去跳舞吧。")],
    "negative_turn": [NEGATIVE_TURN, NEGATIVE_TURN.replace("consistency", "intent")],
    "clean_text": [CLEAN_TEXT, as_json(text='He said, "Speech A is better."')],
    "style_continuation": [CONTINUATION, CONTINUATION_ZH],
    "consistency": [CONSISTENCY, CONSISTENCY.replace("1,", "0,", 1)],
    "groundedness": [GROUNDEDNESS, GROUNDEDNESS.replace("2,", "0,", 1)],
    "heard_emotion": [HEARD_EMOTION, HEARD_EMOTION.replace("angry", "other")],
    "grounded": [GROUNDED, GROUNDED.replace("lively", "dull")],
    "grounded_naturalness": [GROUNDED_NATURALNESS, GROUNDED_NATURALNESS.replace("=4.33", "=1")],
}
