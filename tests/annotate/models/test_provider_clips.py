"""Clips in other containers: the same sound, made once, never larger than the bound, safe for two processes."""

import asyncio
import io
import os
import subprocess
import sys
import threading
import wave
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as nps

import annotate.models.provider_clips
from annotate.models.provider_clips import ClipCache, sweep, transcode, user_folder
from contracts.errors import DamagedPart, DataError, StorageError
from storage.blobs import BlobStore
from storage.workspace import Workspace
from tests.annotate.conftest import RATE_HZ


def kept(folder: Path) -> list[Path]:
    return sorted(folder.glob("??/*"))


def heard(cache: ClipCache, audio_id: str, container) -> bytes:
    return asyncio.run(cache.clip(audio_id, container)).data


@given(pcm=nps.arrays(np.int16, st.integers(1, 400)), rate=st.sampled_from([8000, 16000, 24000, 44100]))
def test_wav_is_exact(pcm, rate):
    """Read back by the standard library's own reader."""
    with wave.open(io.BytesIO(transcode(pcm, rate, "wav"))) as opened:
        assert (opened.getnchannels(), opened.getsampwidth(), opened.getframerate()) == (1, 2, rate)
        assert np.array_equal(np.frombuffer(opened.readframes(len(pcm) + 1), "<i2"), pcm)


def test_mp3_sounds_alike(clips, tones, tmp_path):
    """Same length and rate, the error 20 dB or more below the signal, and a fraction of the size."""
    cache = ClipCache(clips, folder=tmp_path / "kept")
    pcm, rate = clips.pcm(tones[2])
    data = heard(cache, tones[2], "mp3")
    decoded, decoded_rate = soundfile.read(io.BytesIO(data), dtype="int16")
    assert soundfile.info(io.BytesIO(data)).format == "MP3"
    assert decoded_rate == rate
    assert len(decoded) == len(pcm)
    error = decoded[800:-800].astype(float) - pcm[800:-800]
    assert np.mean(error**2) < np.mean(pcm.astype(float) ** 2) / 100
    assert len(data) < 0.45 * len(heard(cache, tones[2], "wav"))


def test_mp3_refuses_a_rate_it_does_not_have(clips):
    audio_id = clips.put(np.zeros(960, np.int16), 96000)
    with pytest.raises(DataError, match=f"{audio_id} at 96000 Hz .* send wav"):
        heard(ClipCache(clips), audio_id, "mp3")


def test_measures(clips, tones):
    """Half a second of 16 kHz WAV: 44 bytes of header and two for each sample."""

    async def measured():
        cache = ClipCache(clips)
        return [await cache.measure(tones[0], container) for container in ("wav", "flac")]

    wav, flac = asyncio.run(measured())
    assert (wav.duration_s, wav.size) == (0.5, 44 + RATE_HZ)
    assert (flac.duration_s, flac.size) == (0.5, len(clips.encoded(tones[0])))


def test_made_once_and_kept_below_the_workspace(clips, tones, tmp_path, monkeypatch):
    """Also when many ask at once, and for the next run."""
    made = []
    monkeypatch.setattr(
        annotate.models.provider_clips, "transcode", lambda *args, **named: made.append(args) or transcode(*args, **named)
    )

    async def ask_at_once():
        cache = ClipCache(clips)
        return await asyncio.gather(*(cache.clip(tones[n % 2], "wav") for n in range(20)))

    found = asyncio.run(ask_at_once())
    assert len(made) == 2
    assert len({clip.data for clip in found}) == 2
    assert heard(ClipCache(clips), tones[0], "wav") == found[0].data
    assert len(made) == 2
    assert len(kept(tmp_path / "workspace" / "cache" / "clips")) == 2


def test_flac_of_a_local_store_is_not_kept_twice(clips, tones, tmp_path):
    assert heard(ClipCache(clips), tones[0], "flac") == clips.encoded(tones[0])
    assert not (tmp_path / "workspace" / "cache").exists()


def test_a_store_elsewhere_uses_the_users_folder(tones, clips, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    far = BlobStore(Workspace("memory://far"))
    audio_id = far.put(*clips.pcm(tones[0]))
    assert heard(ClipCache(far), audio_id, "wav") == heard(ClipCache(clips), tones[0], "wav")
    assert heard(ClipCache(far), audio_id, "flac") == far.encoded(audio_id)
    assert user_folder() == tmp_path / "cache" / "unisrm-data" / "clips"
    assert [path.suffixes[0] for path in kept(user_folder())] == [".flac", ".wav"]


@pytest.mark.parametrize(
    "damage", [lambda data: b"", lambda data: data[:50], lambda data: data[:-1] + b"\x55", lambda d: d + b"x"]
)
def test_a_torn_file_is_made_again(clips, tones, tmp_path, damage):
    folder = tmp_path / "kept"
    data = heard(ClipCache(clips, folder=folder), tones[0], "wav")
    (path,) = kept(folder)
    whole = path.read_bytes()
    path.write_bytes(damage(whole))
    assert heard(ClipCache(clips, folder=folder), tones[0], "wav") == data
    assert path.read_bytes() == whole


def test_a_part_that_another_process_swept_is_no_error(clips, tones, tmp_path, monkeypatch):
    """As after a step of the clock, when every part looks old: the clip is there, only not kept."""
    write = Path.write_bytes

    def written(path, data):
        write(path, data)
        if path.suffix == ".part":
            now = path.stat().st_mtime + 2 * 3600
            with monkeypatch.context() as patch:
                patch.setattr("annotate.models.provider_clips.time.time", lambda: now)
                sweep(path.parents[1], 10**9)
            assert not path.exists()

    monkeypatch.setattr(Path, "write_bytes", written)
    assert heard(ClipCache(clips, folder=tmp_path / "kept"), tones[0], "wav") == heard(ClipCache(clips), tones[0], "wav")
    assert kept(tmp_path / "kept") == []


def test_a_missing_blob_is_named(clips):
    with pytest.raises(DamagedPart, match="restore the file"):
        heard(ClipCache(clips), "ab" * 16, "wav")


def test_a_folder_that_is_no_folder(clips, tones, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageError, match="clip cache"):
        heard(ClipCache(clips, folder=tmp_path / "file"), tones[0], "wav")


def noises(clips: BlobStore, count: int, seconds: float = 0.1) -> list[str]:
    draw = np.random.default_rng(1)
    return [clips.put(draw.integers(-999, 999, int(RATE_HZ * seconds), np.int16), RATE_HZ) for _ in range(count)]


def test_bounded_and_what_was_used_last_stays(clips, tmp_path, monkeypatch):
    """A clip that is asked for all the time survives a hundred others, and is made once."""
    folder, bound = tmp_path / "kept", 120_000
    ids = noises(clips, 100)
    made: list[str] = []
    monkeypatch.setattr(
        annotate.models.provider_clips, "transcode", lambda *args, name: made.append(name) or transcode(*args, name=name)
    )

    async def ask():
        cache = ClipCache(clips, folder=folder, most_bytes=bound)
        for audio_id in ids:
            await cache.clip(audio_id, "wav")
            await cache.clip(ids[0], "wav")
            assert sum(path.stat().st_size for path in kept(folder)) <= bound

    asyncio.run(ask())
    names = {path.name.partition("-")[0] for path in kept(folder)}
    assert {ids[0], ids[-1]} <= names
    assert 10 < len(names) < 40
    assert made.count(ids[0]) == 1


def test_a_clip_larger_than_a_sixteenth_is_not_kept(clips, tones, tmp_path):
    assert heard(ClipCache(clips, folder=tmp_path / "kept", most_bytes=100_000), tones[0], "wav")
    assert not (tmp_path / "kept").exists()


@given(sizes=st.lists(st.integers(1, 100), max_size=12), bound=st.integers(0, 600))
@settings(max_examples=40)
def test_sweeping_keeps_the_youngest_that_fit(tmp_path_factory, sizes, bound):
    folder = tmp_path_factory.mktemp("kept")
    (folder / "ab").mkdir()
    for age, size in enumerate(sizes):
        path = folder / "ab" / f"{age:02}"
        path.write_bytes(b"x" * size)
        os.utime(path, (10_000 - age, 10_000 - age))
    sweep(folder, bound)
    left = [age for age in range(len(sizes)) if (folder / "ab" / f"{age:02}").exists()]
    assert left == list(range(len(left)))
    assert sum(sizes[: len(left)]) <= bound
    assert len(left) == len(sizes) or sum(sizes[: len(left) + 1]) > bound


def test_what_a_killed_process_left_is_swept(tmp_path):
    (tmp_path / "ab").mkdir()
    old, young = tmp_path / "ab" / ".x.part", tmp_path / "ab" / ".y.part"
    old.write_bytes(b"x")
    young.write_bytes(b"x")
    os.utime(old, (0, 0))
    sweep(tmp_path, 10)
    assert not old.exists()
    assert young.exists()


USER = """
import asyncio, sys
from pathlib import Path
from annotate.models.provider_clips import ClipCache
from storage.blobs import BlobStore
from storage.workspace import Workspace

async def main(workspace, folder, *ids):
    blobs = BlobStore(Workspace(workspace))
    cache = ClipCache(blobs, folder=Path(folder), most_bytes=60_000)
    wanted = {audio_id: blobs.pcm(audio_id)[0].tobytes() for audio_id in ids}
    for turn in range(15):
        found = await asyncio.gather(*(cache.clip(audio_id, "wav") for audio_id in ids))
        assert all(clip.data[44:] == wanted[audio_id] for audio_id, clip in zip(ids, found))

asyncio.run(main(*sys.argv[1:]))
"""


def test_two_processes_share_a_folder(clips, tmp_path):
    """While both make, read and remove the same files, each gets the right sound every time."""
    ids = noises(clips, 30)
    command = [sys.executable, "-c", USER, str(tmp_path / "workspace"), str(tmp_path / "kept"), *ids]
    users = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    errors = [user.communicate(timeout=60)[1] for user in users]
    assert [user.returncode for user in users] == [0, 0], errors
    assert sum(path.stat().st_size for path in kept(tmp_path / "kept")) <= 60_000


def test_the_event_loop_is_not_held_up(clips, tones, monkeypatch):
    """While a clip is being made, the loop runs on: otherwise this would wait for ever."""
    going_on = threading.Event()

    def waiting(*args, **named):
        assert going_on.wait(10)
        return transcode(*args, **named)

    monkeypatch.setattr(annotate.models.provider_clips, "transcode", waiting)

    async def ask():
        asking = asyncio.ensure_future(ClipCache(clips).clip(tones[0], "wav"))
        await asyncio.sleep(0)
        going_on.set()
        return await asking

    assert asyncio.run(ask()).duration_s == 0.5
