"""Written text as agents read it: its blocks, its sentences, and its words without markup. Pure functions."""
