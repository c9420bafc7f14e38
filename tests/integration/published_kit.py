"""Looking through a published copy for what must not be in it, and asking what its guide asks."""

from __future__ import annotations

import re
from pathlib import Path

import duckdb

from kakuninsho.paths import PROJECT_ROOT

TEXT_FILES = {".html", ".json", ".csv", ".svg", ".md"}


HEAD = 4


class PersonalTexts:
    """Names, kana and addresses of every drop of the register, found in a text by their first characters."""

    def __init__(self, data: Path) -> None:
        register = f"{data}/facts/register/*"
        with duckdb.connect() as connection:
            found = connection.execute(
                f"""
                select name from read_parquet('{register}/members.parquet', hive_partitioning = false)
                union select name_kana from read_parquet('{register}/members.parquet', hive_partitioning = false)
                union select address from read_parquet('{register}/addresses.parquet', hive_partitioning = false)
                """
            ).fetchall()
        self._by_head: dict[str, list[str]] = {}
        for (text,) in found:
            if text and len(text.strip()) >= HEAD:
                self._by_head.setdefault(text[:HEAD], []).append(text)
        assert len(self._by_head) > 100

    def is_in(self, text: str) -> bool:
        """Whether any of them is part of a text."""
        return any(
            text.startswith(personal, at)
            for at in range(len(text) - HEAD + 1)
            for personal in self._by_head.get(text[at : at + HEAD], ())
        )


def leaks(data: Path, personal: PersonalTexts) -> list[str]:
    """Columns of the copy for analysts and files beside it in which a personal text is found."""
    published = data / "published"
    found = []
    with duckdb.connect(str(published / "analytics.duckdb"), read_only=True) as connection:
        columns = connection.execute(
            "select table_name, column_name from duckdb_columns() where schema_name = 'marts' and data_type = 'VARCHAR'"
        ).fetchall()
        assert len(columns) > 50
        sources = [(f"marts.{table}", column) for table, column in columns]
        sources += [(f"'{published}/parquet/{table}.parquet'", column) for table, column in columns]
        for source, column in sources:
            # Digits and Latin letters hold no name, and most values are that.
            row = connection.execute(
                f"select string_agg(distinct \"{column}\", '\n') from {source}"
                f" where regexp_matches(\"{column}\", '[^\\x00-\\x7f]')"
            ).fetchone()
            if row and row[0] and personal.is_in(row[0]):
                found.append(f"{source}.{column}")
    files = [path for path in published.rglob("*") if path.suffix in TEXT_FILES]
    return found + [str(path) for path in files if personal.is_in(path.read_text(encoding="utf-8"))]


def guide_queries() -> list[tuple[str, bool]]:
    """The queries of the analysts' guide, and whether each reads Parquet files."""
    text = (PROJECT_ROOT / "docs" / "analysts.md").read_text(encoding="utf-8")
    return [(query, bool(mark)) for mark, query in re.findall(r"```sql( parquet)?\n(.*?)```", text, re.DOTALL)]
