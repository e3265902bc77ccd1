"""The one door of every button: page, endpoint and command all come here."""
