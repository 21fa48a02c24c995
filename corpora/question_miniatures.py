"""Miniatures of corpora of questions and translations, each in the layout of the real one (see ``corpora.miniatures``)."""

import csv
import hashlib
import json
from pathlib import Path
from typing import Any, Final

import soundfile

from corpora.dummies import spoken, vowels

_RATE: Final = 16000
_SENTENCES: Final = (
    ('She said: "Not today."', "Sie sagte: „Nicht heute.“"),
    ("NA", "Nicht vorhanden"),
    ("The path is C:\\temp.", "Der Pfad lautet C:\\temp."),
    ("Grüße from Zürich!", "Grüße aus Zürich!"),
)
_WORDS: Final = (
    *(
        "AND",
        "THE",
        "WIND",
        "ROSE",
        "OVER",
        "LONG",
        "HILLS",
        "WHERE",
        "SHEEP",
        "LAY",
        "ASLEEP",
        "UNTIL",
        "EVENING",
        "CAME",
        "WITH",
    ),
    "RAIN",
)


def covost2(folder: str | Path, *, rows: int = 4, seed: int = 0) -> Path:
    """Write CoVoST 2 from English into German: quotes, backslashes, ``NA`` and umlauts; MP3 clips. Returns the folder."""
    folder = Path(folder)
    (folder / "clips").mkdir(parents=True, exist_ok=True)
    for place, split in enumerate(("train", "dev", "test")):
        with (folder / f"covost_v2.en_de.{split}.tsv").open("w", encoding="utf-8", newline="") as file:
            options: dict[str, Any] = {"delimiter": "\t", "quoting": csv.QUOTE_NONE, "escapechar": "\\", "lineterminator": "\n"}
            writer = csv.writer(file, **options)  # as pandas writes for the corpus's script
            writer.writerow(["path", "sentence", "translation", "client_id"])
            for row in range(rows):
                number = place * rows + row
                name = f"common_voice_en_{18540003 + number}.mp3"
                sentence, translation = _SENTENCES[row % len(_SENTENCES)]
                writer.writerow([name, sentence, translation, hashlib.sha512(b"%d" % (number % 3)).hexdigest()])
                sound = spoken(vowels(number, seed), 1.0, name, seed)
                soundfile.write(folder / "clips" / name, sound, _RATE, format="MP3")
    return folder


def librisqa(folder: str | Path, *, recordings: int = 2, seed: int = 0) -> Path:
    """Write LibriSQA beside LibriSpeech: of each recording two open questions and one with options. Returns the folder."""
    folder = Path(folder)
    for split, subset, speaker in (("train", "train-clean-360", 100), ("test", "test-clean", 61)):
        open_questions, choices = list[dict[str, Any]](), list[dict[str, Any]]()
        for number in range(recordings):
            stem = f"{speaker}-70968-{number:04}"
            below = f"{subset}/{speaker}/70968/{stem}"
            recording = folder / f"LibriSpeech/{below}.flac"
            recording.parent.mkdir(parents=True, exist_ok=True)
            sound = spoken(vowels(number, seed), 1.0, stem, seed)
            soundfile.write(recording, sound, _RATE, subtype="PCM_16")
            path, seconds = f"LibriSpeech/{below}.wav", round(len(sound) / _RATE, 3)
            more = " ".join(_WORDS[int(digit, 16)] for digit in hashlib.sha256(stem.encode()).hexdigest()[:10])
            text = f"HE BEGAN A CONFUSED COMPLAINT AGAINST THE WIZARD {more}"
            for question, answer in (("What did he begin?", "A confused complaint."), ("Against whom?", "Against the wizard.")):
                asked = {"speech_path": path, "question": question, "answer": answer, "text": text, "duration": seconds}
                open_questions.append(asked)
            choices.append(
                {
                    "speech_path": path,
                    "question_and_option": "Against whom did he complain? A. The king B. The wizard C. Nobody D. Her",
                    "answer": "B",
                    "answer_and_analysis": "B. The speech says that the complaint was against the wizard.",
                }
            )
        for title, items in (("LibriSQA-PartI", open_questions), ("LibriSQA-PartII", choices)):
            (folder / title).mkdir(parents=True, exist_ok=True)
            objects = ",\n".join(json.dumps(item, ensure_ascii=False) for item in items)
            (folder / title / f"{title}-{split}.json").write_text(f"[{objects}]\n", encoding="utf-8")
    return folder
