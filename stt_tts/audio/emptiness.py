"""Does a recording hold anything? Three tests, because each alone is fooled: size, duration, loudness.

Asterisk's own word for it is not enough: somebody who says nothing, on a telephone that sends silence, is recorded with
a talking time of one second.
"""

import audioop
import io
import wave
from typing import Final

MIN_BYTES: Final = 800
"""A file smaller than this holds nothing: a tenth of a second of 8 kHz telephone audio."""
MIN_DURATION_S: Final = 0.1
MIN_RMS: Final = 0.001
"""Of full scale, -60 dBFS: about 33 of 32,768."""


class BrokenAudio(ValueError):
    """Not a WAV file of plain samples."""


def is_empty(recording: bytes) -> bool:
    """Whether nobody said anything in this WAV file. Raises BrokenAudio when it cannot be read."""
    if len(recording) < MIN_BYTES:
        return True
    try:
        with wave.open(io.BytesIO(recording)) as file:
            width, rate, channels = file.getsampwidth(), file.getframerate(), file.getnchannels()
            samples = file.readframes(file.getnframes())
        if rate <= 0 or len(samples) < MIN_DURATION_S * rate * width * channels:
            return True
        full_scale = float(1 << (8 * width - 1))
        return audioop.rms(samples, width) / full_scale < MIN_RMS
    except (wave.Error, audioop.error, EOFError, RuntimeError) as error:  # RuntimeError: `wave` half-way in
        raise BrokenAudio(f"not a WAV file of plain samples: {error}") from error
