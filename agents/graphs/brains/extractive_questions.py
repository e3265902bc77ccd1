"""The questions that an objective asks."""

import re

from agents.graphs.brains.extractive_phrases import content_words
from agents.prose.sentences import sentences
from agents.prose.wordlists import word_set

ASKS = re.compile(
    r"(?:who|whom|whose|what|when|where|which|why|how|is|are|was|were|does|do|did|can|could|may|must|will|would|should|has"
    r"|have|had)\b",
    re.IGNORECASE,
)
# "…, and how is it tested", "…; what it costs", "…; a list of five"
_FURTHER = re.compile(
    r"\s*;\s*(?:and\s+)?|(?:\s*,\s*(?:and\s+|or\s+)?|\s+and\s+)(?=(?:who|whom|whose|what|when|where|which|why|how)\s)",
    re.IGNORECASE,
)
_WISH = re.compile(r"\A(?:please\s+)?(?:(?:i|we)\s+(?:want|need|wish|would like)\s+to\s+)?", re.IGNORECASE)
_TOLD = re.compile(
    r"(?P<told>find out|explain|describe|summari[sz]e|compare|analy[sz]e|examine|investigate|explore|review|assess"
    r"|evaluate|identify|list|name|show|tell me|research|study|collect|determine|outline|discuss|learn|understand|know"
    r"|give me|report on|look into|find)\s+(?:about\s+|me\s+)?",
    re.IGNORECASE,
)
_WHICH = re.compile(r"(?:all\s+|the\s+)?(?P<kind>[^,]+?)\s+(?:that|which)\s+(?P<rest>.+)", re.IGNORECASE)
_SUBJECT = re.compile(
    r"(?P<ask>who|whom|whose|what|when|where|which|why|how)\s+(?P<subject>.+?)\s+"
    r"(?P<verb>is|are|was|were|can|could|may|must|will|would|should|does|do|did)\b(?P<rest>.*)",
    re.IGNORECASE,
)
_PRESENT = re.compile(
    r"(?P<ask>how|why|when|where)\s+(?P<subject>[^,]+?)\s+(?P<verb>[a-z]{2,}s)\b(?!\s+(?:and|or)\b)(?P<rest>.*)",
    re.IGNORECASE,
)
_PRESENT_OF_IT = re.compile(
    r"(?P<ask>what)\s+(?P<subject>it|(?:the|an?|each|your)\s+\w+)\s+(?P<verb>[a-z]{2,}s)\b(?P<rest>.*)", re.IGNORECASE
)
_NAMED_SUBJECT = re.compile(
    r"\b(?:does|do|did|is|are|was|were|can|could|will|would|should|may|must)\s+"
    r"(?P<subject>(?:the|a|an)\s+\w+|[A-Z][\w-]*(?:\s+[A-Z][\w-]*)*)"
)
_PRONOUN = re.compile(r"\b(?:it|they)\b")
_WITH = re.compile(r"\s+(?:with|to|against)\s+")
_CLAUSE = re.compile(
    r"(?:(?:how|why|when|where)\s+(?!much\b|many\b|is\b|are\b|was\b|were\b|can\b|could\b|may\b|must\b|will\b|would\b"
    r"|should\b|does\b|do\b|did\b|has\b|have\b|had\b)|what\s+(?:an?|the|each|every)\s)",
    re.IGNORECASE,
)
# with these people speak of the sources, and not of what they are about
_OF_SOURCES = word_set(
    """answer answers article articles brief briefly contain contains content contents cover covered covers data detail
    details doc docs document documents fact facts file files finding findings folder general gist idea ideas
    important information insight insights interesting key known main material materials matter matters mean means
    note notes objective overview overviews page pages paper papers part parts passage passages point points provided
    question questions report reports research said say says short source sources subject subjects summaries summary
    text texts topic topics uploaded whole"""
)


def asked(objective: str) -> list[str]:
    """The questions that an objective asks, each as a sentence of its own; none where it names no subject.

    A sentence is cut where a further question word follows a comma or an "and". What is told rather than asked
    ("Explain how…", "Compare…") is put as a question. "It" in a later part becomes what the first part names.
    """
    text = " ".join(objective.split())
    found: list[str] = []
    subject = ""
    for sentence in (text[start:end] for start, end in sentences(text)):
        for number, part in enumerate(_parts(sentence)):
            if not part.strip(" .!?") or (number and re.match(r"(?:a|an|with)\s", part)):
                continue  # "a list of five" says how to answer, not what
            question = _question(part, direct=sentence.endswith("?"))
            named = _NAMED_SUBJECT.search(question)
            if subject and not named:
                question = _PRONOUN.sub(subject, question, count=1)
            subject = named["subject"] if named else subject
            found.append(question)
    if not any(map(names_subject, found)):
        return []
    return [question for question in dict.fromkeys(found) if names_subject(question) or not content_words(question)]


def names_subject(text: str) -> bool:
    """Does `text` name anything to look for? "Summarise the documents" does not."""
    told = _TOLD.sub("", _WISH.sub("", text, count=1), count=1)
    return any(word not in _OF_SOURCES for word in content_words(told))


def _parts(sentence: str) -> list[str]:
    """The sentence cut before further question words; a part that names nothing itself stays with the one before."""
    spans: list[tuple[int, int]] = []
    start = 0
    for cut in [*_FURTHER.finditer(sentence), None]:
        end = cut.start() if cut else len(sentence)
        part = sentence[start:end]
        if spans and not _PRONOUN.search(part) and len(content_words(part)) < 2:
            spans[-1] = (spans[-1][0], end)
        else:
            spans.append((start, end))
        start = cut.end() if cut else end
    return [sentence[first:last] for first, last in spans]


def _question(part: str, *, direct: bool) -> str:
    """One part of an objective as a question; `direct`: it stands in a sentence that ends with a question mark."""
    plain = _WISH.sub("", part, count=1).strip()
    told = _TOLD.match(plain)
    text = (plain[told.end() :] if told else plain).strip().rstrip(".!?;:, ")
    if direct and not told:
        return sentence_of(text, "?")
    if ASKS.match(text):
        return sentence_of(turned(text), "?")
    verb = told["told"].lower() if told else ""
    if verb == "compare":
        return sentence_of(f"how do {_WITH.sub(' and ', text, count=1)} compare", "?")
    if verb in {"summarise", "summarize"}:
        return sentence_of(f"what are the main points of {text}", "?")
    kinds = _WHICH.fullmatch(text)
    if verb in {"find", "identify", "list", "name", "collect"} and kinds:
        return sentence_of(f"which {kinds['kind']} {kinds['rest']}", "?")
    if verb or len(text.split()) <= 8:
        return sentence_of(f"what do the sources say about {text}", "?")
    return sentence_of(text, ".")


def turned(text: str) -> str:
    """An indirect question in the order of a direct one: "how it is built" becomes "how is it built"."""
    found = _SUBJECT.fullmatch(text)
    if found and len(found["subject"].split()) <= 6 and not ASKS.fullmatch(found["subject"].split()[0]):
        acts = " do" if found["ask"].lower() == "what" and found["verb"].lower() in {"do", "does", "did"} else ""
        return f"{found['ask']} {found['verb']} {found['subject']}{acts}{found['rest']}"
    found = _PRESENT_OF_IT.fullmatch(text) or _PRESENT.fullmatch(text)
    if found and len(found["subject"].split()) <= 4 and not ASKS.fullmatch(found["subject"].split()[0]):
        return f"{found['ask']} does {found['subject']} {_base(found['verb'])}{found['rest']}"
    if _CLAUSE.match(text):  # its verb is none of these, and only a grammar would find it
        return f"what do the sources say about {text[0].lower()}{text[1:]}"
    return text


def _base(verb: str) -> str:
    """The verb without the ending of the third person."""
    if verb.endswith("ies") and len(verb) > 4:
        return verb[:-3] + "y"
    return verb[:-2] if verb.endswith(("sses", "shes", "ches", "xes", "oes")) else verb[:-1]


def sentence_of(text: str, mark: str) -> str:
    """The text with a capital at its start and the mark at its end."""
    return text[:1].upper() + text[1:] + mark if text else ""
