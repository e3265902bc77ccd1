"""Keys of the installation: given, or made once and kept in the data folder."""

import base64
import os
import secrets
from collections.abc import Callable
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from django.core.exceptions import ImproperlyConfigured

from orchestrator.env import Environment


def secret_key(env: Environment) -> str:
    """The signing key. Made on the first start, for its owner only; two first starts agree on one."""
    if env.secret_key:
        return env.secret_key.get_secret_value()
    return _kept(env.data / "secret_key", lambda: secrets.token_urlsafe(50))


def push_key(env: Environment) -> str:
    """The key that pushes to browsers are signed with, a private one on P-256 as base64url; likewise."""
    if env.push_key:
        return env.push_key.get_secret_value()
    return _kept(env.data / "push_key", _made_push_key)


def _made_push_key() -> str:
    number = ec.generate_private_key(ec.SECP256R1()).private_numbers().private_value
    return base64.urlsafe_b64encode(number.to_bytes(32, "big")).rstrip(b"=").decode()


def _kept(path: Path, make: Callable[[], str]) -> str:
    try:
        return _kept_key(path, make)
    except OSError as error:
        raise ImproperlyConfigured(f"The data folder cannot be used ({error}): see QUEENRIGHT_DATA.") from error


def _kept_key(path: Path, make: Callable[[], str]) -> str:
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        made = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
        made.touch(mode=0o600)
        made.write_text(make())
        try:
            os.link(made, path)  # fails where somebody was first, and then theirs counts
        except FileExistsError:
            pass
        finally:
            made.unlink()
    return path.read_text()
