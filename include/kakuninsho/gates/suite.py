"""What a suite of `expectations/` is made of, and how one is found by its name. Imports nothing heavy."""

from __future__ import annotations

import importlib.util
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from string import Template
from typing import Any, Literal

from kakuninsho.campaign import Campaign
from kakuninsho.facts.schemas import Columns
from kakuninsho.paths import EXPECTATIONS

Severity = Literal["critical", "warning"]
CRITICAL: Severity = "critical"
WARNING: Severity = "warning"


class GateError(RuntimeError):
    """A gate could not judge what it was given; the message says which file or parameter and what to do."""


@dataclass(frozen=True)
class Parameter:
    """A number or day that a suite needs from its caller.

    `required`: the caller must give it. `from_campaign`: the campaign file's value of the same name holds unless
    the caller gives another. Else `default` holds; rules that cannot be judged without a value skip it.
    """

    name: str
    meaning: str
    required: bool = False
    from_campaign: bool = False
    default: Any = None


def _never(_: Mapping[str, Any]) -> str | None:
    return None


@dataclass(frozen=True)
class Rule:
    """One expectation of a suite.

    `expect` makes the Great Expectations object from the parameters. `holds` is the line of the contract or rule that
    it guards. `of_the_file`: it judges the table as a whole, so its count is no number of rows. `needs` names
    optional tables without which, and `skip_if` gives the Japanese reason for which, it is not judged; the report
    says so.
    """

    id: str
    table: str
    severity: Severity
    ja: str
    holds: str
    expect: Callable[[Mapping[str, Any]], Any]
    of_the_file: bool = False
    needs: tuple[str, ...] = ()
    skip_if: Callable[[Mapping[str, Any]], str | None] = _never


@dataclass(frozen=True)
class Suite:
    """A suite: the tables of one candidate, and the rules that it must keep.

    `derived` adds columns (SQL) to a table's view. `prepared` are tables computed once, before any rule, from the
    views: what several rules ask of a large join is joined once. `what_to_do` ends the message of a failure.
    """

    name: str
    title: str
    what_to_do: str
    what_to_do_ja: str
    tables: Mapping[str, Columns]
    rules: tuple[Rule, ...]
    optional_tables: Mapping[str, Columns] = field(default_factory=dict)
    parameters: tuple[Parameter, ...] = ()
    derived: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    prepared: Mapping[str, str] = field(default_factory=dict)

    def settle(self, given: Mapping[str, Any], campaign: Campaign | None = None) -> dict[str, Any]:
        """The value of each parameter.

        Raises:
            GateError: an unknown name, or a required one that is missing, or one of the campaign without a campaign.
        """
        known = {parameter.name for parameter in self.parameters}
        if unknown := sorted(set(given) - known):
            raise GateError(f"gate {self.name} has no parameter {', '.join(unknown)}; it takes {sorted(known)}")
        settled: dict[str, Any] = {}
        for parameter in self.parameters:
            if parameter.name in given:
                settled[parameter.name] = _day_or_value(given[parameter.name])
            elif parameter.required:
                raise GateError(f"gate {self.name} needs {parameter.name} ({parameter.meaning}); pass it")
            elif parameter.from_campaign:
                if campaign is None:
                    raise GateError(f"gate {self.name} needs {parameter.name} of the campaign; pass the campaign")
                settled[parameter.name] = getattr(campaign.parameters, parameter.name)
            else:
                settled[parameter.name] = parameter.default
        return settled

    def check(self) -> None:
        """Refuse a suite that could pass without having looked.

        Raises:
            GateError: no rules, no row-count floor at their head, an id twice, or a table that nobody declares.
        """
        if not self.rules:
            raise GateError(f"gate {self.name} has no expectations: an empty suite is refused, write its rules")
        if not self.rules[0].id.startswith("row_floor"):
            raise GateError(f"gate {self.name} must begin with its row-count floor (a rule row_floor)")
        ids = [rule.id for rule in self.rules]
        if twice := sorted({rule_id for rule_id in ids if ids.count(rule_id) > 1}):
            raise GateError(f"gate {self.name} names {', '.join(twice)} twice; each expectation has its own id")
        declared = {*self.tables, *self.optional_tables, *self.prepared}
        if unknown := sorted({rule.table for rule in self.rules} - declared):
            raise GateError(f"gate {self.name} judges {', '.join(unknown)}, which it does not declare")


def _day_or_value(value: Any) -> Any:
    """A day as text (tasks pass JSON) becomes a date; anything else stays as it is."""
    if isinstance(value, str) and re.fullmatch(r"\d{4}-\d{2}-\d{2}", value):
        return date.fromisoformat(value)
    return value


def _literal(value: Any) -> str:
    """A parameter as a SQL literal."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, date):
        return f"date '{value.isoformat()}'"
    if isinstance(value, int | float):
        return str(value)
    if value is None:
        return "null"
    return "'" + str(value).replace("'", "''") + "'"


def with_literals(sql: str, parameters: Mapping[str, Any]) -> str:
    """SQL with each `$name` replaced by the parameter's literal; a dollar sign of its own is written `$$`."""
    return Template(sql).substitute({name: _literal(value) for name, value in parameters.items()})


def suite_names() -> tuple[str, ...]:
    """Every suite under `expectations/`, as `inbound/…` or `outbound/…`, without loading one."""
    return tuple(
        sorted(
            f"{folder}/{path.stem}"
            for folder in ("inbound", "outbound")
            for path in (EXPECTATIONS / folder).glob("*.py")
            if not path.stem.startswith("_")
        )
    )


def load_suite(name: str) -> Suite:
    """Load a suite by its path under `expectations/`. Imports Great Expectations: takes seconds the first time.

    Raises:
        GateError: there is no such suite, or it could pass without having looked.
    """
    path = EXPECTATIONS / f"{name}.py"
    if name not in suite_names():
        raise GateError(f"there is no suite {name} under {EXPECTATIONS.name}/; there are {', '.join(suite_names())}")
    module_name = "kakuninsho_expectations." + name.replace("/", ".")
    module = sys.modules.get(module_name)
    if module is None:
        spec = importlib.util.spec_from_file_location(module_name, path)
        if spec is None or spec.loader is None:  # pragma: no cover (a .py file always has a loader)
            raise GateError(f"suite {name} cannot be loaded")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        sys.modules[module_name] = module
    suite: Suite = module.SUITE
    if suite.name != name:
        raise GateError(f"suite {name} calls itself {suite.name}; give it the name of its file")
    suite.check()
    return suite
