"""Manifests of sealed files, read back before one is uploaded, against the files' own bytes (printer/v1, manifest)."""

from __future__ import annotations

from kakuninsho.gates import common
from kakuninsho.gates.gx import rows
from kakuninsho.gates.manifests import MANIFEST_FIELDS, OTHER, manifest_fields
from kakuninsho.gates.suite import CRITICAL, Rule, Suite


def _field(name: str, ja: str) -> Rule:
    return Rule(
        f"manifest_{name}",
        "manifest_fields",
        CRITICAL,
        f"目録の {name}「{ja}」がファイルと一致する",
        f"printer/v1: manifest, {name}",
        rows(
            f"select 1 from {{batch}} where field = '{name}' and (is_needed is distinct from is_there or not is_equal)"
        ),
    )


SUITE = Suite(
    name="outbound/manifests",
    title="印刷会社へ渡す目録（読み戻し）",
    what_to_do="Nothing was uploaded; look at what makes the manifests, reject this plan and make a new one.",
    what_to_do_ja="何も送付していません。目録を作る側を調べ、この計画を不承認にして作り直してください。",
    tables={"manifest_fields": MANIFEST_FIELDS},
    rules=(
        common.row_floor("manifest_fields", "design: an empty table fails"),
        Rule(
            "every_manifest_field_is_compared",
            "manifest_fields",
            CRITICAL,
            "仕様にあるすべての項目を照合した",
            "design: a check that looks at nothing is none",
            rows(
                "select 1 from {batch} group by file_name"
                f" having count(distinct field) filter (field <> '{OTHER}') <> {len(manifest_fields())}"
            ),
        ),
        *(_field(item["name"], item["ja"]) for item in manifest_fields()),
        Rule(
            "no_other_member",
            "manifest_fields",
            CRITICAL,
            "目録に仕様にない項目がない",
            "printer/v1: manifest",
            rows(f"select 1 from {{batch}} where field = '{OTHER}'"),
        ),
    ),
)
