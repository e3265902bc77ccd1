"""Words without markup."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.prose.markup import plain


@pytest.mark.parametrize(
    ("marked", "words"),
    [
        ("See [the `docs`](http://x.y/z_(a)).", "See the docs."),
        ('A [link](x "title") and [one][ref] and <https://e.org>.', "A link and one and https://e.org."),
        ("**Bold**, *em*, __bold__ and _em_.", "Bold, em, bold and em."),
        ("snake_case_name and 2*3*4 and x[0][1]", "snake_case_name and 2*3*4 and x[0][1]"),
        ("`a * b * c` and ``x ` y``", "a * b * c and x ` y"),
        (r"\*not em\* and \_neither\_", "*not em* and _neither_"),
        ("> quoted\n> twice", "quoted twice"),
        ("- [x] done", "done"),
        ("12. Twelfth", "Twelfth"),
        ("a <b>tag</b> &amp; `<kept>`", "a tag & <kept>"),
        ("a < b and c > d", "a < b and c > d"),
        ("[![badge](x.svg)](y) text", "text"),
        ("claimed[^1] so", "claimed so"),
        (":func:`os.path` joins", "os.path joins"),
        ("the `dance <https://e.org/d>`__ of `bees`_ in |hive|", "the dance of bees in hive"),
        (".. note:: Mind the bees.", "Mind the bees."),
        ("wrapped\n  line", "wrapped line"),
        ("\ue000 `code` \ue000", "code"),
    ],
)
def test_marks_go_and_words_stay(marked, words):
    assert plain(marked) == words


@given(st.text(st.sampled_from(list("ab*_`[]()<>!&;:\\#>- \n\ue000")), max_size=200))
def test_any_text_becomes_one_line(text):
    words = plain(text)
    assert "\n" not in words
    assert words == words.strip()
