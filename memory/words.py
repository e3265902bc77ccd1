"""Words that rows are labelled with."""

from enum import StrEnum


class MemoryType(StrEnum):
    """What a memory is about: what happened, what is so, how to do it, or what is at hand."""

    EPISODIC = "episodic"
    SEMANTIC = "semantic"
    PROCEDURAL = "procedural"
    WORKING = "working"


class SourceOrigin(StrEnum):
    """Where a source came from."""

    UPLOAD = "upload"
    FOLDER = "folder"
