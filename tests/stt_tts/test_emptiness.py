"""Does a recording hold anything?"""

import io
import math
import struct
import wave

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stt_tts.audio.emptiness import MIN_RMS, BrokenAudio, is_empty


def tone(duration_s: float, rms: float, rate: int = 8000) -> bytes:
    """A WAV file of a tone this loud, of full scale."""
    peak = rms * math.sqrt(2) * 32768
    samples = [round(peak * math.sin(2 * math.pi * 400 * n / rate)) for n in range(round(duration_s * rate))]
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(rate)
        out.writeframes(struct.pack(f"<{len(samples)}h", *samples))
    return file.getvalue()


@pytest.mark.parametrize(
    ("duration_s", "rms", "empty"),
    [(0.09, 0.3, True), (0.11, 0.3, False), (3.0, 0.0009, True), (3.0, 0.0011, False), (3.0, 0.0, True)],
)
def test_duration_and_loudness_on_both_sides_of_their_limits(
    duration_s: float, rms: float, empty: bool
) -> None:
    """0.1 s and -60 dBFS are the limits; either alone makes a recording empty."""
    assert is_empty(tone(duration_s, rms)) is empty


def test_a_file_of_fewer_than_800_bytes_is_empty() -> None:
    """799 bytes are empty whatever they are; 800 are looked at."""
    assert is_empty(b"x" * 799)
    with pytest.raises(BrokenAudio):
        is_empty(b"x" * 800)


@given(st.binary(min_size=800, max_size=2000))
def test_rubbish_is_empty_or_broken_and_nothing_else(rubbish: bytes) -> None:
    """Whatever a file holds, the answer is yes, no or BrokenAudio."""
    try:
        assert is_empty(rubbish) in {True, False}
    except BrokenAudio:
        pass


@given(st.binary(max_size=60), st.integers(0, 60))
def test_a_damaged_wav_file_is_empty_or_broken_and_nothing_else(noise: bytes, at: int) -> None:
    """Damage in the header never raises anything else."""
    whole = bytearray(tone(0.3, MIN_RMS * 50))
    whole[at : at + len(noise)] = noise
    try:
        assert is_empty(bytes(whole)) in {True, False}
    except BrokenAudio:
        pass
