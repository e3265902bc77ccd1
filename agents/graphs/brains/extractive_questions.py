"""Questions: those that an objective asks, and those that a source's headings and phrases offer."""

import re
from collections.abc import Sequence

from agents.graphs.brains.extractive_phrases import content_words
from agents.prose.sentences import sentences
from agents.prose.wordlists import word_set

_ASKS = re.compile(
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
    r"(?P<ask>how|why|when|where)\s+(?P<subject>.+?)\s+(?P<verb>[a-z]{2,}s)\b(?P<rest>.*)", re.IGNORECASE
)
_PRESENT_OF_IT = re.compile(r"(?P<ask>what)\s+(?P<subject>it)\s+(?P<verb>[a-z]{2,}s)\b(?P<rest>.*)", re.IGNORECASE)
_NAMED_SUBJECT = re.compile(
    r"\b(?:does|do|did|is|are|was|were|can|could|will|would|should|may|must)\s+"
    r"(?P<subject>(?:the|a|an)\s+\w+|[A-Z][\w-]*(?:\s+[A-Z][\w-]*)*)"
)
_PRONOUN = re.compile(r"\b(?:it|they)\b")

# verbs, and words that are verbs only before another word of these
_IMPERATIVES = word_set(
    """add choose compile configure connect create define delete deploy disable download edit enable extend handle
    implement install integrate invoke manage migrate override parse publish register remove rename render replace
    restore resume retry rotate save secure select send serialize set start stop train tune uninstall update upgrade
    upload use validate verify write"""
)
_MAYBE_IMPERATIVES = word_set(
    """build call change check debug export filter fix format import load log measure monitor move open pass plot query
    read release run scale search share sort store stream switch test view"""
)
_OBJECT_STARTS = word_set("a all an any each in into it multiple on several the this to two with your")
# headings that say nothing without what they stand under
_GENERIC = {
    "overview": "What is {parent}?",
    "introduction": "What is {parent}?",
    "about": "What is {parent}?",
    "background": "What is the background of {parent}?",
    "summary": "What is {parent} in short?",
    "installation": "How is {parent} installed?",
    "install": "How is {parent} installed?",
    "installing": "How is {parent} installed?",
    "setup": "How is {parent} set up?",
    "getting started": "How does one start with {parent}?",
    "quickstart": "How does one start with {parent}?",
    "quick start": "How does one start with {parent}?",
    "usage": "How is {parent} used?",
    "examples": "How is {parent} used?",
    "example": "How is {parent} used?",
    "basic usage": "How is {parent} used?",
    "features": "What can {parent} do?",
    "key features": "What can {parent} do?",
    "configuration": "How is {parent} configured?",
    "settings": "How is {parent} configured?",
    "options": "Which options does {parent} have?",
    "requirements": "What does {parent} require?",
    "dependencies": "What does {parent} depend on?",
    "prerequisites": "What does {parent} require?",
    "limitations": "What are the limits of {parent}?",
    "known issues": "Which problems of {parent} are known?",
    "caveats": "What is to be minded with {parent}?",
    "performance": "How well does {parent} perform?",
    "benchmarks": "How well does {parent} perform?",
    "benchmark": "How well does {parent} perform?",
    "security": "What is said about the security of {parent}?",
    "testing": "How is {parent} tested?",
    "tests": "How is {parent} tested?",
    "architecture": "How is {parent} built?",
    "design": "How is {parent} designed?",
    "license": "Under which licence is {parent}?",
    "licence": "Under which licence is {parent}?",
    "contributing": "How does one contribute to {parent}?",
    "methods": "Which methods were used for {parent}?",
    "results": "What are the results on {parent}?",
    "discussion": "What do the results on {parent} mean?",
    "conclusion": "What follows for {parent}?",
    "conclusions": "What follows for {parent}?",
    "notes": "What else is to be known about {parent}?",
}


def asked(objective: str) -> list[str]:
    """The questions that an objective asks, each as a sentence of its own; at least one for any words.

    A sentence is cut where a further question word follows a comma or an "and". What is told rather than asked
    ("Explain how…", "Compare…") is put as a question. "It" in a later part becomes what the first part names.
    """
    text = " ".join(objective.split())
    found: list[str] = []
    subject = ""
    for start, end in sentences(text):
        for number, part in enumerate(_FURTHER.split(text[start:end])):
            if not part.strip(" .!?") or (number and re.match(r"(?:a|an|with)\s", part)):
                continue  # "a list of five" says how to answer, not what
            question = _question(part)
            named = _NAMED_SUBJECT.search(question)
            if subject and not named:
                question = _PRONOUN.sub(subject, question, count=1)
            subject = named["subject"] if named else subject
            found.append(question)
    return list(dict.fromkeys(found)) or [text]


def _question(part: str) -> str:
    """One part of an objective as a question."""
    plain = _WISH.sub("", part, count=1).strip()
    told = _TOLD.match(plain)
    text = (plain[told.end() :] if told else plain).strip().rstrip(".!?;:, ")
    if _ASKS.match(text):
        return _sentence(text if part.rstrip().endswith("?") and not told else _turned(text), "?")
    verb = told["told"].lower() if told else ""
    if verb == "compare":
        return _sentence(f"how do {text} compare", "?")
    if verb in {"summarise", "summarize"}:
        return _sentence(f"what are the main points of {text}", "?")
    kinds = _WHICH.fullmatch(text)
    if verb in {"find", "identify", "list", "name", "collect"} and kinds:
        return _sentence(f"which {kinds['kind']} {kinds['rest']}", "?")
    if verb or len(text.split()) <= 8:
        return _sentence(f"what do the sources say about {text}", "?")
    return _sentence(text, "?" if part.rstrip().endswith("?") else ".")


def _turned(text: str) -> str:
    """An indirect question in the order of a direct one: "how it is built" becomes "how is it built"."""
    found = _SUBJECT.fullmatch(text)
    if found and len(found["subject"].split()) <= 6 and not _ASKS.fullmatch(found["subject"].split()[0]):
        return f"{found['ask']} {found['verb']} {found['subject']}{found['rest']}"
    found = _PRESENT_OF_IT.fullmatch(text) or _PRESENT.fullmatch(text)
    if found and len(found["subject"].split()) <= 4 and not _ASKS.fullmatch(found["subject"].split()[0]):
        return f"{found['ask']} does {found['subject']} {_base(found['verb'])}{found['rest']}"
    return text


def _base(verb: str) -> str:
    """The verb without the ending of the third person."""
    if verb.endswith("ies") and len(verb) > 4:
        return verb[:-3] + "y"
    return verb[:-2] if verb.endswith(("sses", "shes", "ches", "xes", "oes")) else verb[:-1]


def _sentence(text: str, mark: str) -> str:
    return text[:1].upper() + text[1:] + mark if text else ""


def is_generic(heading: str) -> bool:
    """Does the heading say nothing without what it stands under?"""
    return heading.strip().rstrip(".:!").lower() in _GENERIC


def offered(heading: str, parent: str) -> str:
    """The question that a section answers, by its heading and the one above it; empty where that says nothing."""
    text = heading.strip().rstrip(".:!")
    words = text.split()
    parent = parent if _is_name(parent) else ""
    if not content_words(text) and text.lower() not in _GENERIC:
        return ""
    generic = _GENERIC.get(text.lower())
    if generic:
        return generic.format(parent=parent) if parent else ""
    if text.endswith("?") or (_ASKS.match(text) and len(words) > 3 and text.lower().split()[0] not in {"how", "what"}):
        return _sentence(text.rstrip("?"), "?")
    first = words[0].lower()
    if first == "how" and len(words) > 2 and words[1].lower() == "to":
        return _sentence(f"how does one {_lowered(' '.join(words[2:]))}", "?")
    if first in {"how", "what", "why"} and len(words) > 2:
        return _sentence(_turned(text), "?")
    told = first in _IMPERATIVES or (first in _MAYBE_IMPERATIVES and words[1:2] and words[1] in _OBJECT_STARTS)
    if told and len(words) > 1:
        return _sentence(f"how does one {_lowered(text)}", "?")
    if first.endswith("ing") and len(first) > 5 and len(words) > 1:
        return _sentence(f"what does {_lowered(text)} involve", "?")
    return _sentence(f"what do the sources say about {_named(text, parent)}", "?")


def _is_name(parent: str) -> bool:
    """Can it stand for its subject inside a sentence? "pgvector" can, "How the parts fit" cannot."""
    return 0 < len(parent.split()) <= 4 and not _ASKS.match(parent) and not is_generic(parent)


def _named(text: str, parent: str) -> str:
    """The heading as a topic in a sentence; one word alone goes with what it stands under."""
    topic = _lowered(text)
    if len(text.split()) == 1 and parent and parent.lower() != text.lower():
        return f"{topic} in {_lowered(parent)}"
    return topic


def _lowered(text: str) -> str:
    """The text as it stands inside a sentence: names and abbreviations keep their capitals."""
    first, *others = text.split()
    if len(first) > 1 and not first[1:].islower():
        return text
    ordinary = all(word.islower() or not word[0].isalpha() for word in others) or len(others) == 0
    return " ".join([first.lower() if ordinary or _common(first) else first, *others])


def _common(word: str) -> bool:
    return (
        word.lower() in _IMPERATIVES
        or word.lower().endswith("ing")
        or word.lower() in {"the", "a", "an", "our", "your"}
    )


def about(phrases: Sequence[str]) -> str:
    """A question about one or two phrases that name a group of passages."""
    return _sentence(f"what do the sources say about {' and '.join(phrases[:2])}", "?")
