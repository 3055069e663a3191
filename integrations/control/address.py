"""Where the socket is: `control.sock` in the data folder, however long the folder's name.

The kernel takes some hundred bytes as the address of a Unix socket. A longer path is spoken through the descriptor of
its folder (`/proc/self/fd/N/control.sock`), so that socket and folder stay together; where there is no `/proc`, a
sentence says to choose a shorter DATA_DIR.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from integrations.control.errors import ControlError

FILE_NAME: Final = "control.sock"
MAX_ADDRESS_BYTES: Final = 100

_DESCRIPTORS: Final = Path("/proc/self/fd")


@contextmanager
def address_of(folder: Path) -> Iterator[str]:
    """A form of the socket's path that fits, good for the time of the block. Raises ControlError, OSError."""
    path = str(folder / FILE_NAME)
    if len(os.fsencode(path)) <= MAX_ADDRESS_BYTES:
        yield path
        return
    if not _DESCRIPTORS.is_dir():
        raise ControlError(
            f"{path}: a socket's path has at most {MAX_ADDRESS_BYTES} bytes here: choose a shorter DATA_DIR"
        )
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"{_DESCRIPTORS}/{fd}/{FILE_NAME}"
    finally:
        os.close(fd)
