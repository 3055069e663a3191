"""The sentences of the lab's people and the music on hold, made by espeak-ng and sox."""

from __future__ import annotations

import secrets
import tempfile
from pathlib import Path

from scripts.lab.people import SENTENCES
from scripts.lab.steps import run_short

TELEPHONE = ("-r", "8000", "-c", "1", "-b", "16")
WORDS_PER_MINUTE = "150"


def speak_all(folder: Path) -> None:
    """Every sentence as 8 kHz mono wav."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, sentence in SENTENCES.items():
        speak(sentence, folder / f"{name}.wav")


def speak(sentence: str, target: Path) -> None:
    """One sentence as 8 kHz mono wav."""
    with tempfile.TemporaryDirectory() as scratch:
        spoken = Path(scratch) / "spoken.wav"
        run_short(["espeak-ng", "-v", "en-us", "-s", WORDS_PER_MINUTE, "-w", str(spoken), sentence])
        convert(spoken, target, TELEPHONE)


def convert(source: Path, target: Path, form: tuple[str, ...]) -> None:
    """Let sox convert, and put the result in place in one step. Both names may have any suffix; both are wav."""
    new = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    try:
        run_short(["sox", "-V1", "-t", "wav", str(source), "-t", "wav", *form, str(new)])
        new.replace(target)
    finally:
        new.unlink(missing_ok=True)


def compose_music(folder: Path) -> None:
    """Ten quiet seconds of a chord, for music on hold."""
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / "hold.wav"
    chord = [
        "synth",
        "10",
        "sine",
        "262",
        "sine",
        "330",
        "sine",
        "392",
        "remix",
        "-",
        "gain",
        "-12",
        "fade",
        "1",
        "10",
        "1",
    ]
    run_short(["sox", "-V1", "-n", *TELEPHONE, str(target), *chord])
