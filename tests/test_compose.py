"""docker-compose.yml without a container engine: its settings are known, its secrets given, its commands run."""

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
import redis
import yaml
from pydantic import AliasChoices

from orchestrator.env import BASE_DIR, Environment
from orchestrator.servers.child import Child
from tests.servers import claim_folder, running
from tests.stack import eventually, free_port

pytestmark = pytest.mark.xdist_group("compose")
COMPOSE = yaml.safe_load((BASE_DIR / "docker-compose.yml").read_text())
SERVICES = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if service["image"] == "queenright"}
LASTING = [name for name in OURS if name != "prepare"]
SECRET = re.compile(r"PASSWORD|SECRET|KEY|TOKEN")
OPTIONAL_SECRETS = {"QUEENRIGHT_MODEL_API_KEY"}  # most installations have no model behind a key


def known_variables() -> set[str]:
    known: set[str] = set()
    for name, field in Environment.model_fields.items():
        alias = field.validation_alias
        known.update(map(str, alias.choices) if isinstance(alias, AliasChoices) else [f"QUEENRIGHT_{name.upper()}"])
    return known


def interpolations(value: object) -> list[tuple[str, str]]:
    """Each ${NAME…} with what follows the name."""
    if isinstance(value, dict):
        return [found for part in value.values() for found in interpolations(part)]
    if isinstance(value, list):
        return [found for part in value for found in interpolations(part)]
    return re.findall(r"\$\{(\w+)([^}]*)\}", str(value))


@pytest.mark.parametrize("name", OURS)
def test_settings_of_a_service_are_ones_that_are_read(name):
    assert set(OURS[name]["environment"]) <= known_variables()


def test_there_is_a_service_for_all_that_runs():
    assert set(SERVICES) == {
        *("postgres", "redis", "prepare", "web", "beat", "sweeper"),
        *("queen", "architect", "specialist", "worker"),
    }


def test_no_secret_has_a_default():
    required = [(name, rest) for name, rest in interpolations(COMPOSE) if SECRET.search(name)]
    assert {name for name, _ in required} >= {"POSTGRES_PASSWORD", "QUEENRIGHT_SECRET_KEY"}
    for name, rest in required:
        assert rest.startswith(":?") or (name in OPTIONAL_SECRETS and rest == ":-"), name


def test_no_secret_is_written_down():
    for name, service in SERVICES.items():
        for variable, value in service.get("environment", {}).items():
            if SECRET.search(variable):
                assert str(value).startswith("${"), f"{name}: {variable}"


@pytest.mark.parametrize("name", [name for name in SERVICES if name != "prepare"])
def test_every_service_that_lasts_has_a_health_check(name):
    assert SERVICES[name]["healthcheck"]["test"][0] == "CMD"


def test_only_the_web_is_reachable_and_only_from_this_machine():
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert list(published) == ["web"]
    assert all(port.startswith("127.0.0.1:") for port in published["web"])


def test_image_does_not_run_as_root():
    lines = (BASE_DIR / "Dockerfile").read_text().splitlines()
    assert [line for line in lines if line.startswith("USER ")] == ["USER queenright"]


def test_database_has_connections_for_all_pools():
    pools = [int(service["environment"].get("QUEENRIGHT_POOL_SIZE", 0)) for service in OURS.values()]
    (most,) = [int(part.split("=")[1]) for part in SERVICES["postgres"]["command"] if part.startswith("max_conn")]
    assert sum(pools) + 100 <= most


@pytest.fixture(scope="module")
def machine():
    """What containers would share: a prepared database, a Redis, a data folder. Returns the variables."""
    folder, lock = claim_folder("queenright-compose")
    name = f"compose_{os.getpid()}"
    address = os.environ["DATABASE_URL"]
    variables = {
        "DATABASE_URL": address.replace("/queenright?", f"/{name}?"),
        "REDIS_URL": os.environ["REDIS_URL"],
        "QUEENRIGHT_DATA": str(folder / "data"),
        "PATH": f"{Path(sys.executable).parent}:{os.defpath}",
    }
    with psycopg.connect(address.replace("/queenright?", "/postgres?"), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        prepared = subprocess.run(
            OURS["prepare"]["command"], cwd=BASE_DIR, env=settings("prepare", variables), capture_output=True, text=True
        )
        assert prepared.returncode == 0, prepared.stderr
        assert re.fullmatch(r"name: \S+\npassword: \S+\n", prepared.stdout)
        yield variables
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
    shutil.rmtree(folder)
    os.close(lock)


def settings(name: str, machine: dict[str, str]) -> dict[str, str]:
    """The service's own variables, as a person would fill them in, on this machine."""
    filled = {
        variable: re.sub(r"\$\{\w+(?::\?[^}]*)?\}", "given", re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", str(value)))
        for variable, value in OURS[name]["environment"].items()
    }
    return filled | machine


@pytest.mark.parametrize("name", LASTING)
def test_command_of_a_service_comes_up_and_its_health_check_sees_it(name, machine, tmp_path):
    port = str(free_port())

    def here(part: str) -> str:
        return part.replace("8000", port).replace("/data/", f"{machine['QUEENRIGHT_DATA']}/")

    env = settings(name, machine)
    command = [here(part) for part in OURS[name]["command"]]
    check = [here(part) for part in OURS[name]["healthcheck"]["test"][1:]]
    with redis.Redis.from_url(machine["REDIS_URL"]) as client:
        client.flushdb()

    def is_healthy() -> bool:
        assert process.poll() is None, log.read_text()
        return subprocess.run(check, env=env, cwd=BASE_DIR, capture_output=True).returncode == 0

    log = tmp_path / "log"
    with running(Child(name=name, argv=tuple(command), env=env), log) as process:
        eventually(lambda: is_healthy() and is_at_work(name, machine))
        assert process.poll() is None
    assert process.returncode != -signal.SIGKILL, "it did not end when it was asked to"


def is_at_work(name: str, machine: dict[str, str]) -> bool:
    """What the two services leave behind whose health check looks at others only."""
    if name == "beat":
        return any(Path(machine["QUEENRIGHT_DATA"]).glob("beat*"))
    if name == "sweeper":
        with psycopg.connect(machine["DATABASE_URL"]) as connection:
            others = "SELECT count(*) FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()"
            return connection.execute(others, [connection.info.dbname]).fetchone() != (0,)
    return True
