"""The live feed: small facts after each commit, one WebSocket a page."""
