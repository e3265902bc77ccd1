"""A program: a PDF on standard input, its pages' text as JSON on standard output, within limits.

Run by path and alone, so it imports nothing of the project. Arguments: pages, characters, seconds, bytes of
memory. The answer is {"pages": [text, ...], "unread": [number, ...]}, or
{"refused": "encrypted" | "broken" | "costly" | "pages" | "characters"}.
"""

import io
import json
import math
import resource
import sys

from pypdf import PdfReader
from pypdf.errors import DependencyError, LimitReachedError

COSTLY = (MemoryError, LimitReachedError, RecursionError)


def main(max_pages: int, max_characters: int, seconds: float, memory: int) -> dict[str, object]:
    """The answer for the PDF on standard input."""
    data = sys.stdin.buffer.read()
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CPU, (math.ceil(seconds), math.ceil(seconds) + 1))
    try:
        return _pages(data, max_pages, max_characters)
    except COSTLY:
        return {"refused": "costly"}
    except DependencyError:  # of a kind of encryption
        return {"refused": "encrypted"}
    except Exception:  # noqa: BLE001 - damaged files raise whatever they like
        return {"refused": "broken"}


def _pages(data: bytes, max_pages: int, max_characters: int) -> dict[str, object]:
    reader = PdfReader(io.BytesIO(data))
    if reader.is_encrypted and not reader.decrypt(""):
        return {"refused": "encrypted"}
    if len(reader.pages) > max_pages:
        return {"refused": "pages"}
    pages: list[str] = []
    unread: list[int] = []
    left = max_characters
    for number, page in enumerate(reader.pages, start=1):
        try:
            pages.append(page.extract_text())
        except COSTLY:
            raise
        except Exception:  # noqa: BLE001 - as in main; the other pages may be whole
            pages.append("")
            unread.append(number)
        left -= len(pages[-1])
        if left < 0:
            return {"refused": "characters"}
    return {"refused": "broken"} if len(unread) == len(pages) else {"pages": pages, "unread": unread}


if __name__ == "__main__":
    answer = main(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4]))
    sys.stdout.write(json.dumps(answer))
