"""Reading a folder's files, never outside of the folders that missions may read.

Links are followed to files only, and only where they lead to a place inside. Hidden files and folders are left
out. A file is opened without following a last link and without waiting, and must be an ordinary one.
"""

import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from memory import documents
from memory.documents import Limits
from memory.errors import FolderRefused, SourceOutside, SourceUnreadable

MOST_ENTRIES = 20_000  # looked at, so that the root of a disk does not take minutes


def locate(folder: str, roots: Sequence[Path]) -> tuple[Path, Path]:
    """The allowed root that `folder` is in, and the folder itself, both resolved.

    It may be given in full or below one of the roots. Raises FolderRefused, with the same words whether it is
    outside or not there.
    """
    for root in roots:
        with suppress(OSError, ValueError, RuntimeError):  # NUL in it, too long, links in a circle
            real_root = root.resolve(strict=True)
            found = (real_root / folder).resolve(strict=True)
            if found.is_relative_to(real_root) and found.is_dir():
                return real_root, found
    allowed = ", ".join(str(root) for root in roots) or "none"
    raise FolderRefused(f"There is no such folder among those that missions may read: {allowed}.", folder=folder)


def files(folder: Path) -> Iterator[Path]:
    """Files of a folder and of those below it, by name, as they are called there. Raises FolderRefused."""
    seen = 0
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        seen += len(folders) + len(names)
        if seen > MOST_ENTRIES:
            raise FolderRefused(f"{folder} has more than {MOST_ENTRIES:,} files. Name one further down.")
        for name in sorted(names):
            if not name.startswith("."):
                yield Path(place, name)


def read(path: Path, *, name: str, root: Path, limits: Limits) -> bytes:
    """The bytes of a file inside `root`. Raises a SourceRefused that says why not."""
    try:
        real = path.resolve(strict=True)
        if not real.is_relative_to(root):
            raise SourceOutside(f"{name} points to a place outside of the folders that missions may read.", name=name)
        descriptor = os.open(real, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise SourceUnreadable(f"{name} is not an ordinary file.", name=name)
            documents.check_size(name, status.st_size, limits=limits)
            return file.read(limits.max_bytes + 1)  # it may grow meanwhile
    except (OSError, RuntimeError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "links in a circle"
        raise SourceUnreadable(f"{name} cannot be opened: {reason}.", name=name) from error
