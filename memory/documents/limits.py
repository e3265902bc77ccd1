"""What reading one source may take."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Sizes and memory in bytes, text in characters, time in seconds."""

    max_bytes: int
    max_characters: int = 3_000_000
    max_pages: int = 1500
    pdf_seconds: float = 60
    pdf_memory: int = 1024**3
