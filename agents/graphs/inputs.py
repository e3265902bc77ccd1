"""What each level is started with."""

from agents.graphs.findings import Domain, Piece, Question, WorkItem


class MissionInput(Piece):
    """A queen's."""

    objective: str
    title: str


class DomainInput(Piece):
    """An architect's."""

    objective: str
    domain: Domain


class QuestionInput(Piece):
    """A specialist's."""

    objective: str
    question: Question


class ReadingInput(Piece):
    """A reader's."""

    question: str
    item: WorkItem


class PublicationDraft(Piece):
    """A report as it is to be published."""

    file_name: str
    title: str
    content: str
    summary: str


class PublicationInput(Piece):
    """A publisher's."""

    report: PublicationDraft
