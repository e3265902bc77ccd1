"""Finds the few files that pages load from npm packages; nothing else of node_modules is ever served."""

from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from django.conf import settings
from django.contrib.staticfiles.finders import BaseFinder
from django.core.exceptions import ImproperlyConfigured
from django.core.files.storage import FileSystemStorage

FOLDER = "vendor"
FILES = {
    "htmx.min.js": "htmx.org/dist/htmx.min.js",
    "idiomorph-ext.min.js": "idiomorph/dist/idiomorph-ext.min.js",
    "tinykeys.module.js": "tinykeys/dist/tinykeys.module.js",
}


class PackageFinder(BaseFinder):
    """Serves the files named in FILES as vendor/<name>."""

    def check(self, **kwargs: Any) -> list[Any]:
        """Nothing to check: `list` says what is missing."""
        return []

    def find(self, path: str, find_all: bool = False, **kwargs: Any) -> Any:
        """The file behind the address `path`, as Django's finders return it."""
        name = PurePosixPath(path)
        source = FILES.get(name.name) if str(name.parent) == FOLDER else None
        found = str(_modules() / source) if source and (_modules() / source).is_file() else None
        if find_all:
            return [found] if found else []
        return found

    def list(self, ignore_patterns: Iterable[str] | None) -> Iterator[tuple[str, FileSystemStorage]]:
        """Every file with a storage that knows it. Raises ImproperlyConfigured when one is not installed."""
        for name, source in FILES.items():
            file = _modules() / source
            if not file.is_file():
                raise ImproperlyConfigured(f"node_modules/{source} is missing: run npm ci.")
            storage = FileSystemStorage(location=file.parent)
            storage.prefix = FOLDER  # type: ignore[attr-defined]  # collectstatic reads it
            yield name, storage


def _modules() -> Path:
    return Path(settings.BASE_DIR) / "node_modules"
