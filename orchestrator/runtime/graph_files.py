"""LangGraph's own configuration file, langgraph.json, and the variables that it names.

Read are `graphs`, `dependencies` that are folders, and what Queenright adds under `queenright`. Nothing is installed,
and no variable of `env` is set: that is for who starts the processes.
"""

import importlib
import importlib.util
import re
import sys
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any

from django.core.exceptions import ImproperlyConfigured
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from agents.events.digests import text_digest
from agents.roles import Level

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")


class Addition(BaseModel):
    """What Queenright is told of a graph beside what LangGraph reads. `context`: what its nodes are given."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    level: Level = Level.WORKER
    context: dict[str, Any] | None = None


def _spelled_out(given: Any) -> Any:
    return {"path": given} if isinstance(given, str) else given


class _Entry(BaseModel):
    path: str


class _File(BaseModel):
    graphs: dict[str, Annotated[_Entry, BeforeValidator(_spelled_out)]] = Field(min_length=1)
    dependencies: list[str] = []
    queenright: dict[str, Addition] = {}


@dataclass(frozen=True, slots=True)
class Entry:
    """One graph of a file. `where` is a file or a module, `variable` what it is called in it."""

    file: Path
    name: str
    where: str
    variable: str
    addition: Addition

    def refusal(self, cause: str) -> ImproperlyConfigured:
        """The error that names file, graph and cause."""
        return ImproperlyConfigured(f"{self.file}: the graph “{self.name}” cannot be imported: {cause}")

    def load(self) -> Any:
        """The variable's value. Raises ImproperlyConfigured."""
        module = self._module()
        try:
            return getattr(module, self.variable)
        except AttributeError:
            raise self.refusal(f"{self.where} has no variable “{self.variable}”.") from None

    def _module(self) -> ModuleType:
        try:
            return _module_of(self.file.parent / self.where) if _is_file(self.where) else self._named_module()
        except FileNotFoundError as error:
            missing = self.file.parent / self.where
            if _is_file(self.where) and not missing.exists():
                raise self.refusal(f"there is no file {missing}.") from None
            raise self.refusal(_words(error)) from error
        except (Exception, SystemExit) as error:
            raise self.refusal(_words(error)) from error

    def _named_module(self) -> ModuleType:
        return importlib.import_module(self.where)


def read(file: Path) -> list[Entry]:
    """The graphs of a file, whose folders modules can be imported from afterwards. Raises ImproperlyConfigured."""
    try:
        given = _File.model_validate_json(file.read_bytes())
    except OSError as error:
        raise ImproperlyConfigured(f"{file} cannot be read: {error.strerror or error}") from None
    except ValidationError as error:
        raise ImproperlyConfigured("\n".join([f"{file} does not fit:", *_faults(error)])) from None
    if unknown := sorted(given.queenright.keys() - given.graphs.keys()):
        raise ImproperlyConfigured(f"{file}: queenright names {', '.join(unknown)}, which is no graph of the file.")
    entries = [
        _entry(file, name, entry.path, given.queenright.get(name, Addition())) for name, entry in given.graphs.items()
    ]
    for folder in _folders(file, given.dependencies):
        if str(folder) not in sys.path:
            sys.path.append(str(folder))
    return entries


def _faults(error: ValidationError) -> Iterator[str]:
    for fault in error.errors(include_input=False, include_url=False):
        where = ".".join(map(str, fault["loc"]))
        yield f"{where}: {fault['msg']}" if where else fault["msg"]


def _entry(file: Path, name: str, path: str, addition: Addition) -> Entry:
    where, _, variable = path.rpartition(":")
    entry = Entry(file, name, where, variable, addition)
    if not NAME.fullmatch(name):
        raise entry.refusal("a name has up to 100 letters, digits, dots, dashes and underscores.")
    if not where or not variable.isidentifier():
        raise entry.refusal(f"“{path}” is not of the form path/file.py:variable.")
    return entry


def _folders(file: Path, dependencies: list[str]) -> Iterator[Path]:
    """The file's own folder, and those that it depends on. What else it depends on is for pip."""
    yield file.parent
    for name in dependencies:
        if name.startswith(".") and (folder := (file.parent / name).resolve()).is_dir():
            yield folder


def _is_file(where: str) -> bool:
    return where.endswith(".py") or "/" in where


def _module_of(path: Path) -> ModuleType:
    """The module in a file, loaded once. Its name is its own: files of two folders may be called the same."""
    path = path.resolve(strict=True)
    stem = re.sub(r"\W", "_", path.stem)
    name = f"queenright_graph_{text_digest(str(path))[:12]}_{stem}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is not a file of Python's")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # before it runs: dataclasses and type hints look there
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _words(error: BaseException) -> str:
    """What went wrong in the graph's own code, and where."""
    frames = traceback.extract_tb(error.__traceback__)
    where = f" ({frames[-1].filename}, line {frames[-1].lineno})" if frames else ""
    return f"{type(error).__name__}: {error}{where}"
