"""Lists of words, written as text."""


def word_set(text: str) -> frozenset[str]:
    """The words of `text`, which stand apart by white space."""
    return frozenset(text.split())
