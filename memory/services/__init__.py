"""Changes to sources and memories."""
