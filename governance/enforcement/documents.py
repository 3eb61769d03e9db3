"""Reading YAML and JSON files that commands are given, with plain words for what is wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from governance.errors import Invalid

# Besides its own errors, the YAML reader lets through what Python says of a time in month 13, a whole number of 5,000
# digits, or a tag whose text is not of its kind.
_MALFORMED = (ValueError, OverflowError, RecursionError, AttributeError, LookupError, TypeError)


def read_yaml(path: Path) -> dict[str, Any]:
    """A scenario file: a mapping of sections. Raises ``Invalid``."""
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise Invalid(f"{path.name} cannot be read: {error.strerror}.") from None
    except (yaml.YAMLError, *_MALFORMED) as error:
        raise Invalid(f"{path.name} is not valid YAML: {' '.join(str(error).split())[:300]}") from None
    if not isinstance(document, dict):
        raise Invalid(f"{path.name} is not a mapping of sections.")
    return document


def read_rule(path: Path) -> Any:
    """A bare rule as JSON. Duplicate names are refused, since JSON readers differ about them."""
    try:
        return json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=_once)
    except OSError as error:
        raise Invalid(f"{path.name} cannot be read: {error.strerror}.") from None
    except (ValueError, RecursionError) as error:
        raise Invalid(f"{path.name} is not valid JSON: {str(error)[:300]}") from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    if len(set(names)) != len(names):
        raise ValueError("a name stands twice in one object")
    return dict(pairs)


def beside(path: Path) -> Callable[[str], bytes]:
    """Reads files that a document names, from the document's own directory and no other."""
    directory = path.resolve().parent

    def read(name: str) -> bytes:
        file = (directory / name).resolve()
        if file.parent != directory:
            raise OSError("lies outside the file's directory")
        return file.read_bytes()

    return read
