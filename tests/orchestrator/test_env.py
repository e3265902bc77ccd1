"""The environment: what is accepted, what becomes of it."""

from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured
from psycopg.conninfo import conninfo_to_dict

from orchestrator.env import Environment, environment


@pytest.fixture
def environ(monkeypatch):
    for name in ("DATABASE_URL", "REDIS_URL", "QUEENRIGHT_DATA"):
        monkeypatch.delenv(name)
    return monkeypatch


def test_relative_data_folder_is_meant_from_here(environ, tmp_path):
    environ.chdir(tmp_path)
    environ.setenv("QUEENRIGHT_DATA", "kept")
    assert Environment().data == tmp_path / "kept"


def test_home_is_understood_in_data_folder(environ):
    environ.setenv("QUEENRIGHT_DATA", "~/kept")
    assert Environment().data == Path.home() / "kept"


def test_addresses_of_embedded_servers_survive_odd_folder_names(environ):
    environ.setenv("QUEENRIGHT_DATA", "/srv/my data%2f?x#y")
    env = Environment()
    assert conninfo_to_dict(env.database_dsn)["host"] == "/srv/my data%2f?x#y/run"
    assert env.redis_address == "unix:///srv/my%20data%252f%3Fx%23y/run/redis.sock"


def test_sockets_move_where_their_path_is_short_enough(environ):
    environ.setenv("QUEENRIGHT_DATA", "/srv/" + "ü" * 50)
    assert len(bytes(Environment().run_dir)) < 80


def test_two_folders_with_long_names_have_sockets_apart(environ):
    environ.setenv("QUEENRIGHT_DATA", "/srv/" + "a" * 100)
    one = Environment().run_dir
    environ.setenv("QUEENRIGHT_DATA", "/srv/" + "a" * 99 + "b")
    assert Environment().run_dir != one


@pytest.mark.parametrize(
    ("given", "broker"),
    [
        ("redis://cache:6379/2", "redis://cache:6379/2"),
        ("rediss://:word@cache:6380/0", "rediss://:word@cache:6380/0"),
        ("unix:///run/redis.sock?db=3", "redis+socket:///run/redis.sock?virtual_host=3"),
        ("unix:///run/my%20redis.sock", "redis+socket:///run/my%20redis.sock?virtual_host=0"),
    ],
)
def test_celery_gets_the_same_redis_in_its_own_words(environ, given, broker):
    environ.setenv("REDIS_URL", given)
    assert Environment().broker_url == broker


def test_all_bad_variables_are_named_at_once_without_their_values(environ):
    environ.setenv("PORT", "eighty")
    environ.setenv("DATABASE_URL", "mysql://me:secret@host/db")
    environ.setenv("QUEENRIGHT_WORKER_THREADS", "0")
    with pytest.raises(ImproperlyConfigured) as caught:
        environment.__wrapped__()
    message = str(caught.value)
    assert "PORT: " in message
    assert "DATABASE_URL: " in message
    assert "QUEENRIGHT_WORKER_THREADS: " in message
    assert "secret" not in message


@pytest.mark.parametrize("given", ["short", "x" * 17, "ü" * 15])
@pytest.mark.parametrize("name", ["QUEENRIGHT_STATE_KEY", "QUEENRIGHT_OLD_STATE_KEYS"])
def test_a_state_key_that_aes_cannot_take_is_refused_without_being_told(environ, name, given):
    environ.setenv(name, given)
    with pytest.raises(ImproperlyConfigured, match=f"{name}: .*16, 24 or 32 bytes") as refused:
        environment.__wrapped__()
    assert given not in str(refused.value)


def test_state_keys_are_counted_in_bytes(environ):
    environ.setenv("QUEENRIGHT_STATE_KEY", "ü" * 12)
    environ.setenv("QUEENRIGHT_OLD_STATE_KEYS", f"{'a' * 16}, {'b' * 32}")
    env = Environment()
    assert env.state_key is not None
    assert env.state_key.get_secret_value().encode() == "ü".encode() * 12
    assert [key.get_secret_value() for key in env.old_state_keys] == ["a" * 16, "b" * 32]
    assert "aaaa" not in repr(env)


def test_what_a_compose_file_leaves_empty_is_unset(environ):
    for name in ("EMAIL_URL", "QUEENRIGHT_ADDRESS", "QUEENRIGHT_PUSH_KEY"):
        environ.setenv(name, "")
    env = Environment()
    assert (env.email_url, env.address, env.push_key) == (None, None, None)
    assert env.site == "http://127.0.0.1:8000"
    environ.setenv("QUEENRIGHT_ADDRESS", "https://desk.example/")
    assert Environment().site == "https://desk.example"


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("EMAIL_URL", "mail.example:secret"),
        ("QUEENRIGHT_EMAIL_FROM", "a@b.example\r\nBcc: c@d.example"),
        ("QUEENRIGHT_EMAIL_FROM", "nobody"),
        ("QUEENRIGHT_PUSH_KEY", "short-secret"),
        ("QUEENRIGHT_ADDRESS", "ftp://desk.example"),
    ],
)
def test_settings_of_notices_that_do_not_fit_are_named_and_not_shown(environ, name, given):
    environ.setenv(name, given)
    environment.cache_clear()
    try:
        with pytest.raises(ImproperlyConfigured, match=f"{name}: ") as caught:
            environment()
    finally:
        environ.delenv(name)
        environment.cache_clear()
    assert "secret" not in str(caught.value)
