"""Clear lot files of a frozen plan, before they are sealed: their own counts against the plan's lots (printer/v1)."""

from __future__ import annotations

from kakuninsho.facts.schemas import PLANS
from kakuninsho.gates import common
from kakuninsho.gates.gx import gxe, rows
from kakuninsho.gates.lot_files import FILES
from kakuninsho.gates.suite import CRITICAL, Rule, Suite

_SAMPLE_CERTIFICATES = "if(lots.lot_kind = 'employer_list', 0, lots.seed_count)"

SUITE = Suite(
    name="outbound/lot_file",
    title="印刷会社へ渡すロットファイル",
    what_to_do="No file was sealed or sent; write the files of the plan again.",
    what_to_do_ja="暗号化も送付もしていません。計画からファイルを作り直してください。",
    tables={"files": FILES, "lots": PLANS["lots"]},
    rules=(
        common.row_floor("files", "design: an empty table fails"),
        common.present("files", tuple(FILES), "printer/v1: control totals"),
        common.key_unique("files", ("lot_id",), "printer/v1: one file per lot", "one_file_per_lot"),
        Rule(
            "every_lot_has_a_file",
            "lots",
            CRITICAL,
            "すべてのロットにファイルがある",
            "printer/v1: one file per lot",
            rows("select 1 from {batch} as lots anti join files using (lot_id)"),
        ),
        Rule(
            "file_of_a_lot",
            "files",
            CRITICAL,
            "すべてのファイルが計画のロットのもの",
            "printer/v1: one file per lot",
            rows("select 1 from {batch} as files anti join lots using (lot_id) where lot_id is not null"),
        ),
        Rule(
            "file_name_agrees",
            "files",
            CRITICAL,
            "ファイル名がロット番号と通数を正しく表す",
            "printer/v1: file names carry campaign, lot and count",
            rows(
                "select 1 from {batch} where file_name is not null"
                " and not ends_with(file_name, '_lot_' || lot_id || '_' || envelope_count || '.csv')"
            ),
        ),
        Rule(
            "file_not_empty",
            "files",
            CRITICAL,
            "ファイルが空でない",
            "printer/v1: control totals, bytes",
            lambda _: gxe.ExpectColumnValuesToBeBetween(column="byte_count", min_value=1),
        ),
        Rule(
            "records_cover_the_pieces",
            "files",
            CRITICAL,
            "行数が、見出し・末尾と通数・枚数の合計以上ある",
            "printer/v1: control totals, rows",
            rows("select 1 from {batch} where row_count < 2 + envelope_count + certificate_count"),
        ),
        Rule(
            "envelope_count_agrees",
            "files",
            CRITICAL,
            "通数（見本を含む）が計画と一致する",
            "printer/v1: control totals, envelopes",
            rows(
                "select 1 from {batch} as files join lots using (lot_id)"
                " where files.envelope_count <> lots.envelope_count + lots.seed_count"
            ),
        ),
        Rule(
            "sample_count_agrees",
            "files",
            CRITICAL,
            "見本の数が計画と一致する",
            "rules: envelopes and lots, seed households",
            rows("select 1 from {batch} as files join lots using (lot_id) where files.sample_count <> lots.seed_count"),
        ),
        Rule(
            "certificate_count_agrees",
            "files",
            CRITICAL,
            "枚数（見本を含む）が計画と一致する",
            "printer/v1: control totals, certificates",
            rows(
                "select 1 from {batch} as files join lots using (lot_id)"
                f" where files.certificate_count <> lots.certificate_count + {_SAMPLE_CERTIFICATES}"
            ),
        ),
        Rule(
            "weight_agrees",
            "files",
            CRITICAL,
            "重量が計画と一致する",
            "rules: envelopes and lots, weight is a total of the lot",
            rows(
                "select 1 from {batch} as files join lots using (lot_id)"
                " where abs(files.weight_g - lots.weight_g) > 0.05"
            ),
        ),
        Rule(
            "postage_agrees",
            "files",
            CRITICAL,
            "料金が計画と一致する",
            "rules: envelopes and lots, postage is a total of the lot",
            rows("select 1 from {batch} as files join lots using (lot_id) where files.postage_yen <> lots.postage_yen"),
        ),
    ),
)
