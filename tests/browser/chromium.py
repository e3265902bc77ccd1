"""Debian's Chromium, driven by Playwright."""

import os
import shutil

NAMES = ("chromium-headless-shell", "chromium", "google-chrome")  # the first has no windows to care for
CHROMIUM = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), "")
REQUIRED = bool(os.environ.get("QUEENRIGHT_REQUIRE_BROWSER"))
ARGUMENTS = [
    *("--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--disable-background-networking"),
    "--force-prefers-reduced-motion",  # what turns on a page is drawn by the processor, sixty times a second
]
