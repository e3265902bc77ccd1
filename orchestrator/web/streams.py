"""Answers that are sent as they are made."""

from collections.abc import AsyncIterator, Iterator

from asgiref.sync import sync_to_async


async def awaited(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    """Piece by piece, each made in the request's own thread."""
    following = sync_to_async(lambda: next(pieces, None))
    while (piece := await following()) is not None:
        yield piece
