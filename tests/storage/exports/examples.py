"""Two examples of every form, with clips that are no audio: exports look at no clip."""

from storage.export import Example, Form
from storage.export_folder import PLACEHOLDER

PROMPT = f"Which is better?\n\n[Speech A] {PLACEHOLDER}\n[Speech B] {PLACEHOLDER}"
SPEC = '{"name":"preferred","options":{"task":"teacher"},"row":{"label":"a"}}'


def example(form: Form, number: int = 0, **changes) -> Example:
    """Return one example; those of one number share no clip with others."""
    clips = (f"fLaC a{number}".encode(), f"fLaC b{number}".encode())
    values = {
        "item_id": f"pair-{number}",
        "configuration": "task1",
        "split": "rl",
        "number": number,
        "prompt": PROMPT,
        "clips": clips,
        "answer": "Speech A is better",
        "row": {},
    }
    if form == "answer_preference":
        values["rejected_answer"] = "Speech B is better"
    if form == "clip_preference":
        values |= {"prompt": f"How good is it?\n[Speech] {PLACEHOLDER}", "clips": clips[:1], "rejected_clips": clips[1:]}
        values["margin"] = 1.5 if number else None
    if form == "score":
        values |= {
            "prompt": f"How good is it?\n[Speech] {PLACEHOLDER}",
            "clips": clips[:1],
            "answer": "",
            "score": 3.5 + number,
        }
    if form == "rl":
        values |= {"answer": "a", "reward": SPEC}
    return Example(**(values | changes))
