"""Stretches of sound as intervals of time, and a WAV file that carries them."""

import struct
from array import array
from collections.abc import Iterable
from math import pi, sin
from typing import Final

Stretch = tuple[float, float]

RATE: Final = 8000
_BYTES: Final = 2
_TONE_HZ: Final = 400  # twenty samples a period: a tone is one period, repeated
_LOUDNESS: Final = 8000
_PERIOD: Final = array(
    "h", [round(_LOUDNESS * sin(2 * pi * n * _TONE_HZ / RATE)) for n in range(RATE // _TONE_HZ)]
)


def merged(stretches: Iterable[Stretch]) -> list[Stretch]:
    """The same sound in order and without overlaps."""
    out: list[Stretch] = []
    for start, end in sorted(stretches):
        if end <= start:
            continue
        if out and start <= out[-1][1]:
            out[-1] = (out[-1][0], max(out[-1][1], end))
        else:
            out.append((start, end))
    return out


def within(stretches: Iterable[Stretch], start: float, end: float) -> list[Stretch]:
    """What of it lies between two moments."""
    return [(max(a, start), min(b, end)) for a, b in stretches if b > start and a < end]


def total(stretches: Iterable[Stretch]) -> float:
    """How many seconds it is, overlaps counted once."""
    return sum(b - a for a, b in merged(stretches))


def wav(seconds: float, tones: Iterable[Stretch]) -> bytes:
    """A WAV file, 8 kHz, 16 bit, mono: a tone where there was sound, zeros elsewhere. Times count from its start."""
    samples = max(0, round(seconds * RATE))
    audio = bytearray(samples * _BYTES)
    period = _PERIOD.tobytes()
    for start, end in within(merged(tones), 0.0, seconds):
        first, last = round(start * RATE), min(samples, round(end * RATE))
        length = (last - first) * _BYTES
        audio[first * _BYTES : last * _BYTES] = (period * (length // len(period) + 1))[:length]
    header = struct.pack(
        "<4sI4s4sIHHIIHH4sI",
        *(b"RIFF", 36 + len(audio), b"WAVE", b"fmt ", 16, 1, 1, RATE, RATE * _BYTES, _BYTES, 8 * _BYTES),
        *(b"data", len(audio)),
    )
    return header + bytes(audio)
