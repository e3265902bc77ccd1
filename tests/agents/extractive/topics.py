"""Three subjects that have nothing to do with each other, in one source each."""

from agents.graphs.findings import PassageText, SourceOutline
from memory.documents import Document
from memory.passages import headings, split, words

BATTERIES = """# Recycling batteries

Electric cars leave behind a growing stream of spent cells. Most of what they contain can be used again.

## Recovering the metals

Pyrometallurgy melts whole cells in a furnace. Cobalt and nickel end up in an alloy, while lithium is lost to the slag.

Hydrometallurgy dissolves shredded cells in acid. It recovers up to 95 percent of the lithium, yet produces large
amounts of salty waste water.

## Collection

Fewer than half of all portable batteries sold in Europe are handed in again. The rest sits in drawers.

## Costs

Recycling a tonne of car batteries costs 1,500 to 3,000 euros in Europe. Revenue depends on cobalt above all. When its
price fell by half, several plants stopped accepting cells without a fee.
"""

HEAT = """# Urban heat islands

On clear summer nights the centre of a large city can be eight degrees warmer than the fields around it. This
difference is known as the urban heat island.

## Causes

Asphalt and concrete store the sun's heat during the day and give it back after sunset. Cities also lack what cools the
countryside: water that evaporates.

## Trees

A grown street tree cools by shade and by transpiration. Parks of more than two hectares cool the streets around them
over a distance of about 300 metres.

## Health

Heat kills more people than any other kind of weather. During the summer of 2003 around 70,000 people more than usual
died in Europe.
"""

FAIRS = """# The fairs of Champagne

From about 1150 to 1300 merchants from all over western Europe met at six fairs in Champagne, halfway between Flanders
and Italy.

## How a fair ran

Each fair lasted six weeks. During the last two weeks nobody sold anything: debts were settled. Wardens of the fair kept
the peace and judged disputes.

## Money and credit

Coins of Provins were accepted as far away as Rome. The letter of the fair was a promise to pay at a later fair. Out of
it grew the bill of exchange, the most important tool of medieval banking.

## Decline

After 1300 the fairs lost their importance. Galleys sailed from Genoa to Bruges directly, and the French crown taxed the
merchants heavily.
"""

TEXTS = {"batteries.md": BATTERIES, "heat.md": HEAT, "fairs.md": FAIRS}


def topic_passages() -> list[PassageText]:
    """All passages, by source."""
    return [
        PassageText(
            passage_id=f"{name}:{piece.position}",
            source_id=name,
            source=name,
            heading=piece.heading,
            text=piece.content,
        )
        for name, text in TEXTS.items()
        for piece in split(Document(name, "text/markdown", text))
    ]


def topic_outlines() -> list[SourceOutline]:
    """The sources."""
    return [
        SourceOutline(
            source_id=name,
            name=name,
            words=words(text),
            headings=tuple(headings(split(Document(name, "text/markdown", text)))),
        )
        for name, text in TEXTS.items()
    ]
