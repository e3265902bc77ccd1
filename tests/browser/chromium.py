"""Debian's Chromium, driven by Playwright."""

import os
import shutil

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome") or ""
REQUIRED = bool(os.environ.get("QUEENRIGHT_REQUIRE_BROWSER"))
ARGUMENTS = [
    *("--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--disable-background-networking"),
    "--force-prefers-reduced-motion",  # what turns on a page is drawn by the processor, sixty times a second
]
