"""The words of a piece of Markdown: what a reader sees, on one line."""

import re
from html import unescape

_QUOTE_MARKS = re.compile(r"(?m)^[ \t]{0,3}(?:>[ \t]?)+")
_ITEM_MARK = re.compile(r"\A[ \t]*(?:[-*+\u2022]|\(?\d{1,3}[.)])[ \t]+(?:\[[ xX]\][ \t]+)?")
_IMAGE = re.compile(r"!\[([^\]\[]*)\](?:\([^()\s]*(?:\s+\"[^\"]*\")?\)|\[[^\]\[]*\])")
_LINK = re.compile(r"(?<![\w\])])\[([^\]\[]*)\](?:\((?:[^()\s]|\([^()\s]*\))*(?:\s+\"[^\"]*\")?\)|\[[^\]\[]*\])")
_FOOTNOTE = re.compile(r"\[\^[^\]\s]+\]")
_AUTOLINK = re.compile(r"<((?:https?://|mailto:)[^<>\s]+|[^<>\s@]+@[^<>\s@]+)>")
_TAG = re.compile(r"</?[A-Za-z][^<>]*>|<!--.*?-->", re.DOTALL)
_CODE = re.compile(r"(`{1,3})(?!`)(.+?)(?<!`)\1(?!`)", re.DOTALL)
_STRONG = re.compile(r"(\*\*|__)(?=\S)(.+?)(?<=\S)\1", re.DOTALL)
_EMPHASIS = re.compile(
    r"(?<![\w*\\])\*(?=[^\s*])([^*]+)(?<=[^\s*\\])\*(?![\w*])"
    r"|(?<![\w\\])_(?=[^\s_])([^_]+)(?<=[^\s_\\])_(?!\w)"
)
_ADMONITION = re.compile(r"\A\.\.[ \t]+[a-z-]+::\s*")
_ROLE = re.compile(r":[a-z:+-]+:`")  # reStructuredText: :func:`name`
_RST_LINK = re.compile(r"`([^`<>]+?)(?:\s*<[^`<>]*>)?`_{1,2}(?!\w)")
_SUBSTITUTION = re.compile(r"(?<![\w|])\|([\w-]+)\|(?![\w|])")
_ESCAPE = re.compile(r"\\([!-/:-@\[-`{-~])")
_SPACE = re.compile(r"\s+")
_PLACEHOLDER = "\ue000"  # of Unicode's private use
_MARKS = (
    (_IMAGE, ""),
    (_LINK, r"\1"),
    (_FOOTNOTE, ""),
    (_AUTOLINK, r"\1"),
    (_TAG, ""),
    (_STRONG, r"\2"),
    (_EMPHASIS, r"\1\2"),
    (_SUBSTITUTION, r"\1"),
    (_ESCAPE, r"\1"),
)


def plain(text: str) -> str:
    """`text` without Markdown's marks, tags and line breaks. Code keeps its words and loses its ticks."""
    text = _ROLE.sub("`", _ADMONITION.sub("", _ITEM_MARK.sub("", _QUOTE_MARKS.sub("", text))))
    text = _RST_LINK.sub(r"\1", text)
    code: list[str] = []

    def put_aside(found: re.Match[str]) -> str:
        code.append(found[2].strip())
        return _PLACEHOLDER

    text = _CODE.sub(put_aside, text.replace(_PLACEHOLDER, ""))  # marks in code are no marks
    for pattern, kept in _MARKS:
        text = pattern.sub(kept, text)
    first, *others = unescape(text).split(_PLACEHOLDER)
    text = first + "".join(inside + after for inside, after in zip(code, others, strict=True))
    return _SPACE.sub(" ", text).strip()
