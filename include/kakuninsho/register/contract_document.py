"""What the core system delivers, as Japanese documents for its team, made from the tables that the doors read.

`python -m kakuninsho.register.contract_document` writes docs/register-contract.md and docs/feeds-contract.md; a test
holds them current.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from kakuninsho.campaign import load_campaign
from kakuninsho.feeds.contract import TABLES as FEEDS
from kakuninsho.paths import PROJECT_ROOT
from kakuninsho.register.contract import OPTIONAL_TABLES, Column, Table
from kakuninsho.register.contract import TABLES as REGISTER

DOCS = PROJECT_ROOT / "docs"
_KINDS = {"text": "文字列", "date": "日付", "boolean": "真偽"}
_CODES = {
    "missing_value": "値がない",
    "bad_format": "形式が違う",
    "bad_code": "決められた値でない",
    "bad_date": "日付でない、または範囲の外",
    "inconsistent": "ほかの列と合わない",
    "duplicate_row": "同じ行の写し (一行は残る)",
    "conflicting_duplicate": "同じ鍵で違う行 (すべて)",
}
_GRAINS = {
    "members": ("加入者", "加入者ごとに 1 行"),
    "addresses": ("住所", "世帯 (被保険者) ごとに 1 行"),
    "employers": ("事業所", "事業所ごとに 1 行"),
    "my_number_cards": ("マイナンバーカード", "記録のある加入者ごとに 1 行"),
    "issued_certificates": ("ほかの仕組みで交付した資格確認書", "資格確認書ごとに 1 行"),
    "issue_requests": ("交付申請", "申請ごとに 1 行"),
    "certificate_returns": ("資格確認書の返却 (返信用封筒)", "返った資格確認書ごとに 1 行"),
    "decisions": ("判断", "人・判断・日ごとに 1 行"),
    "usage_counts": ("利用件数", "月と都道府県ごとに 1 行"),
}
# What each column means. A column that is in several tables means the same in each.
_WORDS = {
    "insurer_number": "保険者番号。01 + 都道府県 01〜47 + 001 + 検証番号、8 桁",
    "symbol": "記号。7 桁か 8 桁の数字。支部の中でだけ一意",
    "number": "番号。先頭に 0 のない 1〜7 桁の数字",
    "suffix": "枝番。2 桁の数字、00 は被保険者、01 から被扶養者",
    "relationship": "insured (被保険者)、dependent (被扶養者)。枝番と一致する",
    "enrolment": "employee (在職)、voluntary (任意継続)",
    "name": "氏名、事業所の名称。加入者は空でない 200 文字まで。券面に入らないものは却下せず、人に渡す",
    "name_kana": "フリガナ。200 文字まで。空なら人に渡す",
    "sex": "male、female",
    "birth_date": "生年月日。データの日以前、1900-01-01 より後",
    "qualified_on": "資格取得日または認定日。生年月日以後",
    "decided_on": "決定日",
    "lost_on": "資格喪失日 = 資格のない最初の日。在籍中は空。資格取得日以後",
    "protected": "支援措置の対象か",
    "postal_code": "郵便番号、7 桁",
    "address": "住所",
    "building": "建物。なければ空",
    "country": "国、ISO 3166 の 2 文字。日本は JP",
    "updated_on": "住所を登録した日",
    "closed_on": "事業所が廃止・脱退した日。続いていれば空",
    "has_card": "マイナンバーカードを持っているか",
    "number_filed": "個人番号が登録されているか",
    "registered": "健康保険証として利用登録されているか",
    "certificate_expires_on": "電子証明書の有効期限。分からなければ空",
    "registration_cancelled_on": "利用登録を解除した日。なければ空",
    "issued_on": "交付日",
    "valid_until": "有効期限。交付日以後",
    "ended_on": "使えなくなった日。使えるなら空。交付日以後",
    "request_id": "申請の番号。同じ番号は一つの申請",
    "requested_on": "申請日",
    "kind": "new_enrollee (新規)、care_needed (要配慮)、lost_or_damaged (紛失・毀損)、card_lost_or_renewing (カードの紛失・更新中)、"
    "card_returned (カードを返納)",
    "certificate_id": "資格確認書番号 (管理番号-枠番)",
    "received_on": "受け取った日",
    "decision": "release、exclude、correct_address、resume、hold_piece、issue、accept_share、reject_plan、incident_closed",
    "by": "判断した人",
    "reason_code": "判断の理由。exclude、incident_closed、accept_share で使う",
    "drop_as_of": "accept_share で見た加入者データの日",
    "found_share": "accept_share で見た割合。小数点以下 4 桁",
    "month": "月、YYYY-MM",
    "prefecture_code": "都道府県コード、01〜47",
    "uses": "マイナ保険証利用件数",
    "verifications": "オンライン資格確認利用件数。利用件数以上",
}
# In the feed of decisions.
_WORDS_OF_DECISIONS = {
    "insurer_number": "保険者番号。支部の再開・割合ではここまでだけ、全国の割合では空",
    "decided_on": "判断した日",
}


def register_document() -> str:
    """docs/register-contract.md as text."""
    values = load_campaign().parameters
    return f"""# 加入者データの受渡し仕様 (register/v1)

基幹システムの担当者のための仕様です。受け口の表 (`kakuninsho.register.contract`) から作っています。手元のデータは
`kakuninsho register check <フォルダ> --out <出力先>` で、取り込まずに検査できます。見本は `kakuninsho register generate` で作れます。

## 置き方

    <register>/as_of={values.snapshot_as_of}/
      members.parquet (または .csv)、addresses.…、employers.…、my_number_cards.…、あれば issued_certificates.…
      manifest.json   最後に置く。ないあいだは未着として待つ

目録: `{{"contract": "register/v1", "as_of": "{values.snapshot_as_of}", "kind": "full", "files": [{{"name": "members.parquet", "rows": 123, "sha256": "…"}}]}}`。
行数かハッシュが違えば、何も取り込みません。`kind` は full (全行) か delta (前の配信から新しい・変わった行だけ。消えた行は表せない)。
delta は、変わらない表を目録から省けます。配信のフォルダでないもの (`….part`、`….filepart`、`_old` など) は読みません。

- Parquet: 同じ列名。文字は string (UTF-8)、日付は date32。フォルダの名 (`country=JP/` など) は値になりません。
- CSV: UTF-8 (BOM 可)、見出し行、RFC 4180、空は値なし、日付は YYYY-MM-DD、真偽は true / false。改行は一つの形にそろえる。
- 番号は文字です。先頭の 0 も値のうちです。知らない列はそのままにします。同じ列が二つあれば受け入れません。
- 12 桁の個人番号は、どこにも入れないでください。検査番号の合う値があれば、全体を受け入れません。

## 行の却下

一行が規則に反すると、その行だけを却下し、`fct_register_rejects` に表・行番号・列・理由だけを残します (値は残しません)。順に、
写し、鍵の重複、表の列の順に見て、最初に反したものが理由です。{values.max_reject_rate:.1%} を超え、かつ {values.max_reject_rows_always_accepted} 行を超える却下、
ない表や列、空の全件は、配信全体を受け入れません。理由の全体:

{_table(("理由", "意味"), ((f"`{code}`", words) for code, words in _CODES.items()))}

{_tables(REGISTER)}"""


def feeds_document() -> str:
    """docs/feeds-contract.md as text."""
    core = {name: FEEDS[name] for name in ("issue_requests", "certificate_returns", "decisions", "usage_counts")}
    return f"""# そのほかのデータの受渡し仕様

交付申請・返却・判断・利用件数の受渡しです。受け口の表 (`kakuninsho.feeds.contract`) から作っています。印刷会社との受渡しは
[別の仕様](printer-contract.md) です。

## 置き方

`<feeds>/<名前>_<日付など>.csv` と、行数とハッシュの目録 `<同じ名前>.csv.manifest.json` (`{{"rows": 3, "sha256": "…"}}`)。CSV は UTF-8、見出し行、
RFC 4180、日付は YYYY-MM-DD。同じファイルの再送は何も変えません。同じ名前で中身の違うものは受け入れません。受け入れられないファイルは
一つずつ脇に置いて知らせ、ほかのファイルは取り込みます。名前が似ているだけのもの、目録の届かないものは一日で警報になります。

{_tables(core)}"""


def _tables(tables: Mapping[str, Table]) -> str:
    return "\n\n".join(_section(table) for table in tables.values()) + "\n"


def _section(table: Table) -> str:
    title, grain = _GRAINS[table.name]
    optional = "なくてもよい表です。ない配信は、この表について何も言いません。" if table.name in OPTIONAL_TABLES else ""
    rows = (
        (f"`{column.name}`", _KINDS[column.kind], _empty(column), _words(table, column), _codes(column))
        for column in table.columns
    )
    keys = "、".join(f"`{name}`" for name in table.key)
    return f"## {table.name} ({title})\n\n{grain}。鍵は {keys}。{optional}\n\n" + _table(
        ("列", "型", "空", "内容", "反したときの理由"), rows
    )


def _words(table: Table, column: Column) -> str:
    own = _WORDS_OF_DECISIONS if table.name == "decisions" else {}
    return own.get(column.name, _WORDS[column.name])


def _empty(column: Column) -> str:
    return "列もなくてよい" if column.may_be_absent else "不可" if column.required else "可"


def _codes(column: Column) -> str:
    of_kind = {"date": ("bad_date",), "boolean": ("bad_format",)}.get(column.kind, ())
    needed = ("missing_value",) if column.required else ()
    return "、".join(
        f"`{code}`" for code in dict.fromkeys((*needed, *of_kind, *(check.code for check in column.checks)))
    )


def _table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    names = list(header)
    return "\n".join("| " + " | ".join(line) + " |" for line in (names, ["---"] * len(names), *map(list, rows)))


def write_documents(folder: Path = DOCS) -> list[Path]:
    """Write both documents."""
    paths = [folder / "register-contract.md", folder / "feeds-contract.md"]
    for path, text in zip(paths, (register_document(), feeds_document()), strict=True):
        path.write_text(text, encoding="utf-8")
    return paths


if __name__ == "__main__":
    for written in write_documents():
        print(written)
