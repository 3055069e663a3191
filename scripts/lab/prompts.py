"""The project's prompts, as Asterisk wants them: 8 kHz `.wav` and 16 kHz `.wav16` from the 16 kHz masters."""

from __future__ import annotations

from pathlib import Path

from scripts.lab.layout import REPOSITORY
from scripts.lab.voices import convert

MASTERS = REPOSITORY / "assets" / "audio" / "wav"
FORMS = {".wav": ("-r", "8000", "-c", "1", "-b", "16"), ".wav16": ("-r", "16000", "-c", "1", "-b", "16")}


def install(sound_dir: Path, masters: Path = MASTERS) -> list[str]:
    """Convert every master that is newer than its copies; returns all names that are now playable."""
    sound_dir.mkdir(parents=True, exist_ok=True)
    names = []
    for master in sorted(masters.glob("*.wav")):
        for suffix, form in FORMS.items():
            target = sound_dir / f"{master.stem}{suffix}"
            if not target.exists() or target.stat().st_mtime < master.stat().st_mtime:
                convert(master, target, form)
        names.append(master.stem)
    return names
