"""How processes connect: as an ordinary role, with a pool or without."""

import os
import subprocess
import sys

import pytest

from orchestrator.env import BASE_DIR

SHOW = """
import django; django.setup()
from django.db import connection
with connection.cursor() as cursor:
    cursor.execute("SELECT current_user, current_setting('is_superuser'), "
                   "current_setting('idle_in_transaction_session_timeout')")
    print(*cursor.fetchone())
"""


@pytest.mark.parametrize("pool_size", ["0", "3"])
def test_the_application_is_no_superuser(pool_size):
    shown = subprocess.run(
        [sys.executable, "-c", SHOW],
        cwd=BASE_DIR,
        env=os.environ
        | {
            "DJANGO_SETTINGS_MODULE": "orchestrator.settings",
            "QUEENRIGHT_POOL_SIZE": pool_size,
            "QUEENRIGHT_IDLE_IN_TRANSACTION_SECONDS": "7",
        },
        capture_output=True,
        text=True,
        check=True,
    )
    assert shown.stdout.split() == ["queenright", "off", "7s"]
