"""The values of a condition as text in one field, and back, exactly.

Values stand between commas or semicolons. One that holds a separator, a quote or a line break, or that begins or ends with a
space, stands in double quotes, with a backslash before each quote and backslash. Countries are written by name, and read by
name, code or group.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import Any

from governance.rules.attributes import LIST_OPERATORS, Attribute, Type
from governance.rules.countries import COUNTRIES
from governance.rules.language import GROUP

_QUOTED = r'"((?:[^"\\]|\\.)*)"'
_WORD = re.compile(rf"\s*(?:{_QUOTED}\s*(?=[,;]|\Z)|([^,;]*))(?:[,;]|\Z)", re.DOTALL)
_ESCAPED = {"n": "\n", "r": "\r", '"': '"', "\\": "\\"}
_NEEDS_QUOTES = re.compile(r'[,;"\r\n]')
COUNTRY_TYPES = (Type.COUNTRY, Type.COUNTRIES)


def _folded(name: str) -> str:
    """A name without case, accents and curly apostrophes: how a keyboard without them writes it."""
    plain = unicodedata.normalize("NFKD", name.replace("’", "'"))
    return "".join(letter for letter in plain if not unicodedata.combining(letter)).casefold()


_CODES = {_folded(name): code for code, name in COUNTRIES.items()}


def write(attribute: Attribute, value: Any) -> str:
    """A condition's value, or list of values, as the field shows it."""
    if isinstance(value, list | tuple):
        return ", ".join(_written(attribute, item) for item in value)
    return _written(attribute, value)


def _written(attribute: Attribute, value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    word = str(value)
    if attribute.type in COUNTRY_TYPES:
        word = COUNTRIES.get(word, word)
    if word and word == word.strip() and not _NEEDS_QUOTES.search(word):
        return word
    for sign, escaped in (("\\", "\\\\"), ('"', '\\"'), ("\n", "\\n"), ("\r", "\\r")):
        word = word.replace(sign, escaped)
    return f'"{word}"'


def read(attribute: Attribute, op: str, text: str, groups: Iterable[str] = ()) -> Any:
    """The value, or list of values, that a field states. What cannot be one stays as typed: the language refuses it."""
    if op in LIST_OPERATORS:
        return [_typed(attribute, word, groups) for word in words(text)]
    quoted = re.fullmatch(_QUOTED, text.strip(), re.DOTALL)
    return _typed(attribute, _unescaped(quoted[1]) if quoted else text.strip(), groups)


def with_country(attribute: Attribute, text: str, pick: str, groups: Iterable[str]) -> str:
    """The field of a list with one more country or group, once."""
    codes, code = read(attribute, "in", text, groups), country(pick, groups)
    return write(attribute, codes if code in codes else [*codes, code])


def words(text: str) -> list[str]:
    """The words of a list as typed, without their quotes."""
    found = []
    for match in _WORD.finditer(text):
        quoted, plain = match.groups()
        if quoted is not None:
            found.append(_unescaped(quoted))
        elif plain.strip():
            found.append(plain.strip())
    return found


def read_fact(attribute: Attribute, text: str) -> Any:
    """What is known of a test person, as typed: a list where people have several, and ``none`` is an empty one."""
    if attribute.type is Type.COUNTRIES:
        typed = words(text)
        return [] if typed == ["none"] else [_typed(attribute, word, ()) for word in typed]
    return read(attribute, "is", text)


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.)", lambda sign: _ESCAPED.get(sign[1], sign[0]), text, flags=re.DOTALL)


def _typed(attribute: Attribute, word: str, groups: Iterable[str]) -> Any:
    if attribute.type is Type.BOOLEAN:
        return {"yes": True, "true": True, "no": False, "false": False}.get(word.lower(), word)
    return country(word, groups) if attribute.type in COUNTRY_TYPES else word


def country(word: str, groups: Iterable[str]) -> str:
    """The code of a country, or ``group:NAME``, for what was typed; anything else as it is. A code goes before a group."""
    if word.startswith(GROUP):
        return word
    if len(word) == 2 and word.isascii() and word.upper() in COUNTRIES:
        return word.upper()
    folded = _folded(word)
    if folded in _CODES:
        return _CODES[folded]
    return next((GROUP + name for name in groups if _folded(name) == folded), word)
