"""Texts that people write, read from the disk in one go."""

from pathlib import Path


def read_texts(folder: Path, suffixes: tuple[str, ...] = (".yaml", ".yml")) -> dict[str, str]:
    """Every text file of these suffixes in a folder, by path; a missing folder is an empty one.

    A file that is not UTF-8 is read with its broken bytes replaced, so that its loader can complain with a line.
    """
    if not folder.is_dir():
        return {}
    return {
        str(path): path.read_text(encoding="utf-8", errors="replace")
        for path in sorted(folder.iterdir())
        if path.suffix in suffixes and path.is_file()
    }
