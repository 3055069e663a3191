"""Sound files as Asterisk wants them: what is in a header, and a short one to try with."""

import io
import wave
from dataclasses import dataclass
from pathlib import Path
from typing import Final

RATES: Final = {".wav": 8000, ".wav16": 16000}
"""Asterisk chooses the reader by the ending, and each reader takes one rate."""
RAW: Final = (".ulaw", ".ul", ".pcm", ".alaw", ".al", ".sln", ".sln16", ".gsm", ".g722")
"""Endings of files without a header: nothing to look at but that there is something."""


@dataclass(frozen=True, slots=True)
class Playable:
    """A file for a prompt, and what is wrong with it; nothing when `wrong` is empty."""

    path: Path
    wrong: str = ""


def find_playable(folder: Path, name: str) -> Playable | None:
    """The file Asterisk would play for this name: the first that is fine, else the first there is."""
    found = [
        Playable(path, what_is_wrong(path))
        for ending in (*RATES, *RAW)
        if (path := folder / f"{name}{ending}").is_file()
    ]
    return next((each for each in found if not each.wrong), found[0] if found else None)


def what_is_wrong(path: Path) -> str:
    """Why Asterisk would not play this file; empty when it would."""
    rate = RATES.get(path.suffix)
    if rate is None:
        return "" if path.stat().st_size else "empty"
    try:
        with wave.open(str(path), "rb") as file:
            has = file.getframerate(), file.getnchannels(), file.getsampwidth(), file.getnframes()
    except (wave.Error, EOFError) as error:
        return f"not a WAV file ({error})"
    if has[:3] != (rate, 1, 2):
        channels = "mono" if has[1] == 1 else f"{has[1]} channels"
        return f"{has[0]} Hz, {channels}, {8 * has[2]} bit instead of {rate} Hz, mono, 16 bit"
    return "" if has[3] else "empty"


def short_silence(seconds: float = 0.1) -> bytes:
    """A WAV file that Asterisk plays and nobody hears."""
    held = io.BytesIO()
    with wave.open(held, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATES[".wav"])
        file.writeframes(bytes(2 * int(seconds * RATES[".wav"])))
    return held.getvalue()
