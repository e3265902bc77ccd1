"""Three short sources about bees, and what an agent sees of them."""

from agents.graphs.findings import PassageText, SourceOutline
from memory.documents import Document
from memory.passages import headings, split, words

DANCE = """# The waggle dance

A bee that has found good flowers tells the other bees by a dance on the comb. The dance is a figure of eight with a
straight run in its middle. The angle between the straight run and the vertical is the angle between the flowers and
the sun. The longer the straight run lasts, the farther away the flowers are: one second stands for about a kilometre.

Karl von Frisch decoded the dance in the 1940s and received a Nobel Prize for it in 1973.

## Followers

Other foragers follow the dancer closely and touch her with their antennae. They read direction and distance in the
dark of the hive by touch alone. After a few runs they fly out and find the place within minutes.

## Swarms

A swarm that looks for a new home sends out scouts. Scouts dance for the places that they found, and stop each other
with head butts. When enough scouts gather at one place, a quorum is reached and the whole swarm takes off.
"""

HONEY = """# How honey is made

Foragers suck nectar from flowers and carry it home in a honey stomach. In the hive they hand the nectar over to house
bees. House bees add enzymes, which split the sugar into glucose and fructose.

## Ripening

Nectar holds up to 80 percent water, and ripe honey less than 20 percent. Bees spread it thinly over the comb and fan
it with their wings until it is thick. Then they close each cell with a lid of wax.

```python
water = 0.8
```

| stage | water |
|-------|-------|
| nectar | 80 |

## Keeping

Ripe honey keeps for years because it holds so little water that nothing grows in it. It must be stored dry, as it
draws moisture from the air.
"""

QUEEN = """# The queen

A colony has one queen. She lays up to two thousand eggs a day in early summer. Workers feed her and carry her scent
through the hive.

## When she dies

When the queen dies, the workers notice within hours that her scent is missing. They raise a new queen from a young
larva by feeding it royal jelly alone. If there is no young larva, the colony is lost within weeks.
"""

TEXTS = {"dance.md": DANCE, "honey.md": HONEY, "queen.md": QUEEN}


def bee_passages() -> list[PassageText]:
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


def bee_outlines() -> list[SourceOutline]:
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
