"""Texts as keys and file names."""

import re
import unicodedata


def slug(text: str, most: int) -> str:
    """Lower-case words of plain letters and digits with dashes between, at most `most` characters; may be empty."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return "-".join(re.findall(r"[a-z0-9]+", plain))[:most].strip("-")
