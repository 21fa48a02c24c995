"""A small corpus of dialogues in DailyTalk's layout, for demonstrations: spoken by machines, a man's voice and a woman's.

``python -m synth.spoken_dialogues FOLDER`` has two English voices speak ten dialogues, turn by turn. The emotion of a turn is
a known change of prosody (``synth.simulated_emotions``): **nobody acts**. A recipe over it says who speaks: ``source_type`` of
its corpus.
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import soundfile

from contracts import plugins
from contracts.errors import SetupError
from contracts.folder_argument import folder_argument
from contracts.jobs import Failure
from synth.engine import RenderRequest
from synth.resampling import resample
from synth.simulated_emotions import EMOTIONS, spoken_with
from synth.world_vocoder import RATE_HZ, analysis, missing_packages

VOICES: Final = (("piper", "joe"), ("flite", "slt"))
"""Engine and voice of DailyTalk's speakers: 0 is a man, 1 a woman."""

SIMULATED: Final = {"none": "Neutral", "happiness": "Happy", "sadness": "Sad", "anger": "Angry", "surprise": "Surprise"}
"""Emotion, as DailyTalk names it -> the simulated one."""

Turn = tuple[str, str]
"""Emotion and words."""

DIALOGUES: Final[tuple[tuple[Turn, ...], ...]] = (
    (
        ("none", "Good morning, I would like to book a room for two nights."),
        ("none", "Certainly. For how many people, please?"),
        ("none", "For two adults, and we would love a view of the sea."),
        ("sadness", "I am so sorry, all the rooms with a view are taken."),
        ("none", "Then a quiet room at the back will do."),
        ("happiness", "Wait, somebody has just cancelled, you can have the view!"),
    ),
    (
        ("surprise", "You are back from Lisbon already?"),
        ("sadness", "Yes, my grandmother fell ill and I had to come home."),
        ("sadness", "Oh no, how is she doing now?"),
        ("none", "She left the hospital this morning and is resting."),
        ("happiness", "That is wonderful news, please give her my love."),
    ),
    (
        ("none", "Did you remember to buy bread on your way home?"),
        ("surprise", "Bread? I thought you wanted me to buy milk."),
        ("anger", "I told you twice, and you never listen to me."),
        ("anger", "You told me nothing of the kind this morning."),
        ("none", "All right, the bakery is open until eight."),
        ("none", "I will go there now and bring some rolls, too."),
    ),
    (
        ("none", "How did the interview at the bank go yesterday?"),
        ("happiness", "They offered me the job before I left the building."),
        ("surprise", "Before you left? I have never heard of that."),
        ("happiness", "I start on the first of March, and the pay is good."),
    ),
    (
        ("none", "Excuse me, does this bus go to the museum?"),
        ("none", "No, this one turns left at the river."),
        ("none", "Which line do I have to take, then?"),
        ("none", "Take number nine from the other side of the street."),
        ("happiness", "Thank you very much, you have been a great help."),
    ),
    (
        ("none", "I want to return these shoes, they are too small."),
        ("none", "Do you still have the receipt with you?"),
        ("sadness", "I am afraid I threw it away last week."),
        ("none", "Without it I can only give you another pair."),
        ("anger", "But I have paid a hundred euros for them."),
        ("none", "Let me ask the manager what we can do."),
    ),
    (
        ("happiness", "Guess who is coming to dinner on Saturday."),
        ("none", "I have no idea, somebody from your office?"),
        ("happiness", "My sister, and she brings the twins along."),
        ("surprise", "The twins? They must be six years old by now."),
        ("none", "Seven, and they would like you to cook pasta."),
    ),
    (
        ("none", "The kitchen tap has been dripping since Monday."),
        ("none", "I can have a look at it after lunch."),
        ("none", "Do you need any tools for that?"),
        ("none", "A wrench and a new seal should be enough."),
        ("surprise", "There is water all over the floor now!"),
        ("anger", "Then close the main valve, and do it quickly."),
    ),
    (
        ("none", "Would you like to go for a walk in the park?"),
        ("sadness", "I would, but I twisted my ankle at the gym."),
        ("surprise", "At the gym? You have never been there before."),
        ("none", "It was my first lesson, and my last one, I think."),
    ),
    (
        ("none", "What time does the concert begin tonight?"),
        ("none", "At half past seven, the doors open at seven."),
        ("happiness", "Great, then we can have supper first."),
        ("sadness", "I cannot, I have to work until six."),
        ("none", "We could have something at the hall instead."),
        ("happiness", "Good idea, I will meet you there at seven."),
    ),
    (
        ("none", "Could you tell me when the library closes today?"),
        ("none", "On Fridays we close at five in the afternoon."),
        ("surprise", "At five? Your sign says that you are open until eight."),
        ("sadness", "I know, the sign is wrong and nobody has changed it."),
        ("none", "Then I had better hurry and find my books."),
    ),
    (
        ("happiness", "Our photographs from the mountains have arrived."),
        ("happiness", "Let me see, did the one with the goat turn out well?"),
        ("none", "It is a bit dark, but you can see its horns."),
        ("none", "We should hang it in the hall, next to the mirror."),
    ),
    (
        ("none", "The printer on the second floor does not work again."),
        ("anger", "I have reported that machine three times this month."),
        ("none", "Perhaps the cable is loose, I could check it."),
        ("none", "It is not the cable, it eats every sheet of paper."),
        ("sadness", "Then I will miss the deadline for my application."),
    ),
    (
        ("none", "What would you like for your birthday this year?"),
        ("none", "To be honest, a new raincoat would be useful."),
        ("surprise", "A raincoat? I was thinking of tickets for the opera."),
        ("happiness", "The opera would make me happier than any coat."),
        ("none", "Good, then we will go in November."),
        ("none", "November suits me, only not the second week."),
    ),
    (
        ("none", "Have you fed the cat while I was at the dentist?"),
        ("none", "She had some fish at noon and slept ever since."),
        ("sadness", "She will not eat it, she has been ill for days."),
        ("sadness", "Then we should take her to the clinic tomorrow."),
        ("none", "They open at nine, I will call them first."),
    ),
    (
        ("none", "Where did you park the car last night?"),
        ("none", "Behind the theatre, next to the yellow wall."),
        ("anger", "There is no car behind the theatre any more."),
        ("surprise", "But I locked it, and the keys are in my pocket!"),
        ("anger", "I am going to ring the police this minute."),
    ),
    (
        ("none", "How many chairs do we need for the meeting?"),
        ("none", "Twelve, and one more for the guest from Norway."),
        ("none", "There are only ten of them in the basement."),
        ("none", "We can borrow the others from the canteen."),
        ("happiness", "Well done, you always find a way."),
    ),
    (
        ("sadness", "I heard that your team lost the final."),
        ("sadness", "By one goal, and in the very last minute."),
        ("none", "At least you played better than anyone expected."),
        ("happiness", "That is true, and the coach has promised us a party."),
    ),
    (
        ("none", "This soup tastes different from last time."),
        ("none", "I used ginger in place of the garlic."),
        ("happiness", "It is delicious, could I have the recipe?"),
        ("happiness", "Of course, I will write it down for you."),
        ("none", "And how long does it have to boil?"),
        ("none", "About forty minutes on a low flame."),
    ),
    (
        ("none", "Is this seat taken, or may I sit here?"),
        ("none", "Please do, my friend is not coming after all."),
        ("none", "Are you travelling as far as Vienna?"),
        ("none", "No, I change trains at the border."),
        ("surprise", "So do I, what a strange coincidence!"),
    ),
    (
        ("anger", "You have painted the fence without asking me."),
        ("none", "It looked shabby, so I thought you would be glad."),
        ("anger", "I am not glad at all, I cannot stand that green."),
        ("sadness", "I am sorry, I only wanted to surprise you."),
        ("none", "Let us choose another colour together."),
    ),
    (
        ("none", "My daughter wants to learn the violin."),
        ("none", "The music school has places for beginners."),
        ("none", "Do you know what an hour costs there?"),
        ("none", "Eighteen pounds, and the instrument is free."),
        ("surprise", "Free? I had expected to pay for that!"),
        ("happiness", "They lend you one for the first two years."),
    ),
    (
        ("none", "When does the plumber come to mend the boiler?"),
        ("none", "He promised to be here by ten."),
        ("anger", "It is past one, and the house is freezing."),
        ("none", "Put on a sweater while I phone his office."),
    ),
    (
        ("surprise", "Look, there is a fox in our garden!"),
        ("surprise", "Where? I can see nothing but the old shed."),
        ("none", "Right beside the shed, under the apple tree."),
        ("happiness", "How lovely, it has two cubs with it."),
        ("none", "Keep quiet, or they will run away."),
    ),
    (
        ("none", "I am calling about the flat in Mill Street."),
        ("none", "It is still free, would you like to see it?"),
        ("happiness", "I would love to, is Thursday possible?"),
        ("none", "Thursday at six would be fine with me."),
        ("none", "Does the rent include the heating?"),
        ("sadness", "Unfortunately it does not, that comes on top."),
    ),
    (
        ("none", "Why are you still awake at this hour?"),
        ("sadness", "I keep thinking about the exam on Monday."),
        ("none", "You have studied for weeks, you will pass it."),
        ("sadness", "My mind goes blank as soon as I see the paper."),
        ("happiness", "Come, I will make us some tea with honey."),
    ),
)
"""Dialogues written for this project and dedicated to the public domain (CC0-1.0); the speakers take turns, the man begins."""


def licence() -> str:
    """Return the licence of the recordings: that of their voices."""
    found = {
        voice.license for engine, name in VOICES for voice in plugins.configure("engine", engine).voices() if voice.name == name
    }
    return " AND ".join(sorted(found))


def write(folder: str | Path, *, dialogues: int = len(DIALOGUES)) -> Path:
    """Write the corpus. The same arguments give the same files.

    Args:
        folder: where to write; it is made if it is not there.
        dialogues: how many dialogues, at most 26.

    Returns:
        The folder.

    Raises:
        SetupError: an engine or WORLD is not installed, or a voice does not speak.
    """
    if problem := missing_packages():
        raise SetupError(problem)
    folder, chosen = Path(folder), DIALOGUES[:dialogues]
    for speaker, (engine, voice) in enumerate(VOICES):
        places = [(number, turn) for number, said in enumerate(chosen) for turn in range(speaker, len(said), len(VOICES))]
        for (number, turn), sound in zip(places, _spoken(engine, voice, [chosen[n][t] for n, t in places]), strict=True):
            path = folder / f"data/{number}/{turn}_{speaker}_d{number}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(path, sound, RATE_HZ, subtype="PCM_16")
    metadata = {str(number): _turns(said) for number, said in enumerate(chosen)}
    in_order = dict(sorted(metadata.items()))  # of strings, as in the published file
    (folder / "metadata.json").write_text(json.dumps(in_order, ensure_ascii=False, indent=4), encoding="utf-8")
    return folder


def _turns(said: Sequence[Turn]) -> dict[str, dict[str, Any]]:
    return {
        str(number): {
            "index": number,
            "text": words,
            "speaker": number % len(VOICES),
            "turn": number,
            "topic": "demonstration",
            "emotion": emotion,
            "act": "question" if words.endswith("?") else "inform",
        }
        for number, (emotion, words) in enumerate(said)
    }


def _spoken(engine: str, voice: str, turns: Sequence[Turn]) -> Iterator[np.ndarray]:
    """Yield each turn by a voice, with the prosody of its emotion."""
    configured = plugins.configure("engine", engine)
    if problem := configured.missing():
        raise SetupError(f"{engine}: {problem}")
    requests = [RenderRequest(text=words, language="en", voice=voice, seed=0, reference=None) for _, words in turns]
    for (emotion, words), answer in zip(turns, configured.open().render(requests), strict=True):
        if isinstance(answer, Failure):
            raise SetupError(f"{engine} {voice} does not speak {words!r}: {answer.message}")
        samples = resample(answer.samples, answer.sample_rate_hz, RATE_HZ)
        yield spoken_with(analysis(samples / np.abs(samples).max() / 2), EMOTIONS[SIMULATED[emotion]])


if __name__ == "__main__":
    print(write(folder_argument("synth.spoken_dialogues", __doc__)))
