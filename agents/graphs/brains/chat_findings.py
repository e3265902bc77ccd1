"""What a chat model is asked about passages, and what of its findings stands in them."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from agents.graphs.brains import chat_material as material
from agents.graphs.brains import chat_prompts as prompts
from agents.graphs.brains import chat_reading as reading
from agents.graphs.brains import chat_replies as replies
from agents.graphs.brains.chat_reading import TEXT_LENGTH
from agents.graphs.findings import Finding, PassageText

MOST_FINDINGS = 12  # of one call, or of one task of it


def question(asked: str, shown: Sequence[PassageText], left_out: Sequence[str] = ()) -> list[prompts.Message]:
    """The messages that ask what the passages say about one question."""
    task = prompts.EXTRACT.format(most=MOST_FINDINGS)
    return prompts.ask(task, {"Question": asked}, material.of_passages(shown), left_out)


def findings(
    drafts: Sequence[replies.FindingShape], shown: Sequence[PassageText], only: Collection[str]
) -> list[Finding]:
    """What stands in the passages with the ids `only`, best first, each quote once."""
    found = {
        (finding.passage_id, finding.quote): finding
        for draft in reversed(drafts[:MOST_FINDINGS])
        if (finding := _finding(draft, shown)) and finding.passage_id in only
    }
    return sorted(reversed(found.values()), key=lambda finding: -finding.relevance)


def _finding(draft: replies.FindingShape, shown: Sequence[PassageText]) -> Finding | None:
    if not 1 <= draft.passage <= len(shown):
        return None
    passage = shown[draft.passage - 1]
    quote = reading.standing(draft.quote, draft.statement, passage.text)
    if not quote:
        return None
    return Finding(
        statement=reading.line(draft.statement, TEXT_LENGTH),
        passage_id=passage.passage_id,
        quote=quote,
        relevance=draft.relevance,
    )
