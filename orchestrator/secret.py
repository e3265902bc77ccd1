"""The key that signs sessions: given, or made once and kept in the data folder."""

import os
import secrets
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

from orchestrator.env import Environment


def secret_key(env: Environment) -> str:
    """The signing key. Made on the first start, for its owner only; two first starts agree on one."""
    if env.secret_key:
        return env.secret_key.get_secret_value()
    path = env.data / "secret_key"
    try:
        return _kept_key(path)
    except OSError as error:
        raise ImproperlyConfigured(f"The data folder cannot be used ({error}): see QUEENRIGHT_DATA.") from error


def _kept_key(path: Path) -> str:
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        made = path.with_name(f"secret_key.{os.getpid()}")
        made.touch(mode=0o600)
        made.write_text(secrets.token_urlsafe(50))
        try:
            os.link(made, path)  # fails where somebody was first, and then theirs counts
        except FileExistsError:
            pass
        finally:
            made.unlink()
    return path.read_text()
