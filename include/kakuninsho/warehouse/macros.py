"""dbt's macros outside of dbt, so that a rule that stands in a macro stands nowhere else.

Rendered by Jinja as they are; only macros that use nothing of dbt but `source` can be called.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import jinja2
from jinja2.environment import TemplateModule

from kakuninsho.paths import DBT_PROJECT

Source = Callable[[str, str], str]


@lru_cache(maxsize=1)
def _template() -> jinja2.Template:
    files = sorted((DBT_PROJECT / "macros").glob("*.sql"))
    text = "\n".join(path.read_text(encoding="utf-8") for path in files)
    return jinja2.Environment(autoescape=False).from_string(text)  # noqa: S701 (SQL, not HTML)


@lru_cache(maxsize=1)
def _module() -> TemplateModule:
    return _template().module


def macro_sql(name: str, *arguments: str, source: Source | None = None, **named: str) -> str:
    """The SQL of a macro call; arguments are SQL expressions. `source` tells what a dbt source is read from."""
    module = _template().make_module({"source": source}) if source else _module()
    return str(getattr(module, name)(*arguments, **named))
