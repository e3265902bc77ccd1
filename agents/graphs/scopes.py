"""Architects tell each other what they ask, and leave a question that another one asks to that one."""

from collections.abc import Callable, Sequence
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from agents.graphs.colleagues import Told
from agents.graphs.findings import Question
from agents.words import CommunicationType

SAME = 0.95  # cosine from which two questions are taken as one

Embed = Callable[[Sequence[str]], NDArray[np.float32]]


def left_to_peers(
    session_id: UUID, questions: Sequence[Question], heard: Sequence[Told], embed: Embed
) -> dict[str, tuple[str, str]]:
    """Which of its questions, by key, an architect leaves to a peer at work: in words, and to whom. Never all of them.

    Of two that ask the same, the one with the lower id keeps the question, so that it is not lost between them.
    """
    theirs = [
        (text, told.sender.name)
        for told in heard
        if told.kind == CommunicationType.DESIGN_CONSISTENCY
        and told.sender.is_at_work
        and told.sender.session_id < session_id
        for text in told.content["questions"]
    ]
    if not theirs or not questions:
        return {}
    near = embed([question.text for question in questions]) @ embed([text for text, _ in theirs]).T
    left = {
        question.key: (question.text, theirs[int(row.argmax())][1])
        for question, row in zip(questions, near, strict=True)
        if row.max() >= SAME
    }
    return dict(list(left.items())[: len(questions) - 1])
