"""Every test has a real PostgreSQL and a real Redis, and none of the developer's own settings.

One pair of servers serves a whole run: the first process starts it, the parallel ones have a database and a
Redis database each. All of it ends with that process, also when it is killed.
"""

import os
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import quote

import django
import pytest
import redis
from django.conf import settings
from hypothesis import settings as hypothesis_settings

from tests import emptying
from tests.servers import both_servers, claim_folder

WORKER = os.environ.get("PYTEST_XDIST_WORKER", "")
FOLDER = "QUEENRIGHT_TEST_FOLDER"
KEPT = {FOLDER, "QUEENRIGHT_REQUIRE_BROWSER", "QUEENRIGHT_TEST_POINTS"}
POOL = "QUEENRIGHT_POOL_SIZE"
ENDINGS = ExitStack()


def use_test_servers(folder: Path) -> None:
    """Point the settings at the run's servers, before anything reads them."""
    for name in list(os.environ):
        if name.startswith("QUEENRIGHT_") and name not in KEPT:
            del os.environ[name]
    os.environ.pop("PORT", None)
    run = folder / "run"
    number = int(WORKER.removeprefix("gw")) + 1 if WORKER else 0
    os.environ["DATABASE_URL"] = f"postgresql://postgres@localhost/queenright?host={quote(str(run), safe='')}"
    os.environ["REDIS_URL"] = f"unix://{run / 'redis.sock'}?db={number}"
    data = folder / "data" / (WORKER or "main")
    (data / "static").mkdir(parents=True, exist_ok=True)  # gathered by `prepare`; its absence is a warning
    os.environ["QUEENRIGHT_DATA"] = str(data)
    os.environ[POOL] = "100"
    os.environ["DJANGO_SETTINGS_MODULE"] = "orchestrator.settings"


if settings.configured:
    pytest.exit("Unset DJANGO_SETTINGS_MODULE: the tests bring settings of their own.", returncode=4)
if WORKER:
    use_test_servers(Path(os.environ[FOLDER]))
else:
    claimed, lock = claim_folder("queenright-tests")
    os.environ[FOLDER] = str(claimed)
    use_test_servers(claimed)
hypothesis_settings.register_profile("shared machine", deadline=None)  # another's load is no fault of a test
hypothesis_settings.load_profile("shared machine")
django.setup()  # here: conftest files below import models
emptying.use_it()
settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # the real one takes half a second a user
del os.environ[POOL]  # what tests start has what it is given
del os.environ["DJANGO_SETTINGS_MODULE"]  # parallel workers inherit it, and would read settings too early


def pytest_configure(config: pytest.Config) -> None:
    """Start the servers, in the one process that is not a parallel worker."""
    if not WORKER and not config.option.collectonly and not config.option.help:
        ENDINGS.enter_context(both_servers(claimed, lock))


def pytest_unconfigure() -> None:
    """End them."""
    ENDINGS.close()


@pytest.fixture
def redis_client():
    """A client of this process's own Redis database, empty."""
    with redis.Redis.from_url(os.environ["REDIS_URL"]) as client:
        client.flushdb()
        yield client
