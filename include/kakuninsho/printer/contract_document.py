"""The contract as a Japanese document for the printer's people, made from contract/printer-v1.yaml.

`python -m kakuninsho.printer.contract_document` writes docs/printer-contract.md; a test holds it current.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from kakuninsho.paths import PROJECT_ROOT
from kakuninsho.printer.charset import SUBSTITUTIONS, ibm_forms, printable_characters
from kakuninsho.printer.layout import SAMPLES, contract

DOCUMENT = PROJECT_ROOT / "docs" / "printer-contract.md"
_KINDS = {
    "lot": "ロットファイル",
    "pull_list": "引抜き指示",
    "urgent_pull_list": "急ぎの引抜き指示",
    "release_order": "差出指示",
    "stop_order": "中止指示",
    "acknowledgement": "受領報告",
    "piece_report": "個別処理報告",
    "return_report": "不着報告",
}
_DIRECTIONS = {"to_printer": "保険者 → 印刷会社", "from_printer": "印刷会社 → 保険者"}


def contract_document() -> str:
    """The whole document as Markdown."""
    spec = contract()
    sections = [
        _head(spec),
        _transport(spec),
        _names(spec),
        _numbers(spec),
        _characters(spec),
        _types(spec),
        _lot_file(spec),
        _orders(spec),
        _answers(spec),
        _codes(spec),
        _manifest(spec),
        _samples(spec),
    ]
    return "\n\n".join(section.strip() for section in sections) + "\n"


def _table(header: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    names = list(header)
    lines = [names, ["---"] * len(names), *([_cell(value) for value in row] for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _cell(value: object) -> str:
    return str(value).replace("|", "\\|").replace("\n", " ")


def _head(spec: dict[str, Any]) -> str:
    changes = _table(("版", "日付", "内容"), ((item["revision"], item["date"], item["ja"]) for item in spec["changes"]))
    return f"""# {spec["title"]}({spec["contract"]} 第{spec["revision"]}版)

この文書は `include/kakuninsho/printer/contract/printer-v1.yaml` から自動生成する。直接編集しない。

- 委託者: {spec["parties"]["insurer"]["ja"]}
- 受託者: {spec["parties"]["printer"]["ja"]}

## 変更履歴

{changes}"""


def _transport(spec: dict[str, Any]) -> str:
    folders = "\n".join(f"- `{name}/` {_DIRECTIONS[key]}" for key, name in spec["transport"]["folders"].items())
    rules = "\n".join(f"{number}. {item['ja']}" for number, item in enumerate(spec["transport"]["rules"], start=1))
    sealing = "\n".join(f"{number}. {item['ja']}" for number, item in enumerate(spec["sealing"]["rules"], start=1))
    return f"""## 1. 伝送

SFTP(ホスト鍵固定)。フォルダは次の二つ。

{folders}

{rules}

### 暗号化・署名

{spec["sealing"]["standard_ja"]}。すべてのファイルと目録を、送信側の鍵で署名し受信側の鍵で暗号化する。

{sealing}"""


def _names(spec: dict[str, Any]) -> str:
    rows = (
        (_KINDS[kind], f"`{item['pattern']}`", _DIRECTIONS[item["direction"]])
        for kind, item in spec["file_names"].items()
    )
    kinds = "、".join(f"{letter} = {kind}" for letter, kind in spec["lot_id"]["kinds"].items())
    return f"""## 2. ファイル名

{_table(("ファイル", "名前", "方向"), rows)}

`<count>` はロットファイルでは差出通数(見本を含む)、ほかは見出しを除く行数。個人情報は含めない。

ロットID: `{spec["lot_id"]["pattern"]}`({kinds})"""


def _numbers(spec: dict[str, Any]) -> str:
    number = spec["control_number"]
    examples = "、".join(f"`{example}`" for example in number["examples"])
    return f"""## 3. 管理番号

連番9桁と検査数字2桁(ISO 7064 MOD 97-10)の11桁。検査数字 = 98 −(連番 × 100 を 97 で割った余り)。
11桁を97で割ると余りは1になる。例: {examples}

台紙・送付状・資格確認書に二次元コード(QR)で印字する。資格確認書には確認書番号(管理番号-枠番)を入れる。

{number["replacement_ja"].strip()}"""


def _characters(spec: dict[str, Any]) -> str:
    lot = spec["lot_file"]
    pairs = "、".join(f"{before}→{after}" for before, after in SUBSTITUTIONS.items())
    narrow = sum(1 for _, width in printable_characters() if width == 1)
    total = len(printable_characters())
    return f"""## 4. 文字

- 文字コード: {lot["character_set"]}、IBM 拡張漢字の形(髙 = FB FC、﨑 = FA B1)
- NEC 選定 IBM 拡張(ED・EE 行、{len(ibm_forms())} 文字)は現れない
- 印字できる文字: {total} 文字(半角 {narrow}、全角 {total - narrow})。制御文字・外字(私用領域)は含めない
- 置き換え(これ以外の置き換えはしない): {pairs}
- 文字が欠けたときに「?」や「〓」で埋めない。印字できない文字を含む人は送らない
- 幅は全角2・半角1で数える"""


def _types(spec: dict[str, Any]) -> str:
    rows = ((f"`{name}`", item["ja"]) for name, item in spec["types"].items())
    return f"## 5. 項目の型\n\n{_table(('型', '内容'), rows)}"


def _limits(field: dict[str, Any]) -> str:
    if "width" in field:
        return f"幅{field['width']}"
    if "min" in field:
        return f"{field['min']}〜{field['length']}桁"
    if "length" in field:
        return f"{field['length']}桁"
    if "max" in field:
        return f"{field['max']}字以内"
    if "values" in field:
        return "、".join(f"`{value}`" for value in field["values"])
    return {"reject_reasons": "拒否理由の表", "return_reasons": "返還理由の表"}.get(field.get("values_from", ""), "")


def _fields(fields: list[dict[str, Any]]) -> str:
    rows = (
        (
            number,
            f"`{field['name']}`",
            field["ja"],
            f"`{field['type']}`",
            _limits(field),
            "可" if field.get("empty") else "",
            f"`{field['example']}`" if field["example"] != "" else "",
        )
        for number, field in enumerate(fields, start=1)
    )
    return _table(("#", "項目", "内容", "型", "桁・値", "空", "例"), rows)


def _lot_file(spec: dict[str, Any]) -> str:
    records = "\n\n".join(
        f"### {kind}: {item['ja']}\n\n{_fields(item['fields'])}" for kind, item in spec["lot_file"]["records"].items()
    )
    return f"""## 6. ロットファイル

CSV。すべての項目を二重引用符で囲み、項目内の二重引用符は二つ重ねる。改行は CRLF、見出し行なし、最終行にも改行。
1項目目がレコード区分。

順序: H、次にロット内順(`position_in_lot`)の各差出物、最後に T。
封筒は E とその C(枠番順)。束は B、続けて束の中の封筒(管理番号順)ごとに E とその C。一覧表は L とその N(行番号順)。

見本(`is_sample` = 1)はロットの先頭に置き、保険者あてに「見本」と印字して差し出す。受領・報告の対象であり、
ヘッダ・トレーラ・目録・ファイル名の数に含む。一覧表ロットの見本は L と N 1行、ほかは E と C 1枚。
見本の数は H の `sample_count`。申請・随時などの小さなロットには、支部と月ごとに最初の一つだけに 1 通あり、ほかには 0。

印刷会社はロット全体を受けるか、全体を拒否する。

{records}"""


def _orders(spec: dict[str, Any]) -> str:
    orders = spec["order_files"]
    parts = ["## 7. 指示ファイル\n\nCSV、UTF-8(BOM なし)、見出し行あり、すべての項目を二重引用符で囲む、CRLF。"]
    for kind in ("pull_list", "urgent_pull_list", "release_order", "stop_order"):
        item = orders[kind]
        parts.append(f"### {item['ja']}\n\n{item['effect_ja']}\n\n{_fields(item['fields'])}")
    stages = orders["stop_order"]["stages_ja"]
    rows = (
        (f"`{effect}`", stage["not_printed"], stage["printed"], stage["posted"]) for effect, stage in stages.items()
    )
    parts.append(_table(("指示", "印刷前", "印刷後・差出前", "差出後"), rows))
    return "\n\n".join(parts)


def _answers(spec: dict[str, Any]) -> str:
    answers = spec["answer_files"]
    rules = "\n".join(f"- {item['ja']}" for item in answers["rules"])
    parts = [
        f"## 8. 報告ファイル\n\nCSV、UTF-8(BOM なし)、見出し行あり、改行は CRLF または LF。空は値なし。\n\n{rules}"
    ]
    for kind in ("acknowledgement", "piece_report", "return_report"):
        parts.append(f"### {answers[kind]['ja']}\n\n{_fields(answers[kind]['fields'])}")
    return "\n\n".join(parts)


def _codes(spec: dict[str, Any]) -> str:
    rejects = _table(("区分値", "内容"), ((f"`{code}`", item["ja"]) for code, item in spec["reject_reasons"].items()))
    returns = _table(("区分値", "内容"), ((f"`{code}`", item["ja"]) for code, item in spec["return_reasons"].items()))
    papers = _table(("コード", "同封物"), ((f"`{code}`", item["ja"]) for code, item in spec["enclosures"].items()))
    return f"## 9. 区分値\n\n### 拒否理由\n\n{rejects}\n\n### 返還理由\n\n{returns}\n\n### 同封物\n\n{papers}"


def _manifest(spec: dict[str, Any]) -> str:
    names = {"all": "すべて", **_KINDS}
    rows = (
        (
            f"`{field['name']}`",
            field["ja"],
            f"`{field['type']}`",
            "、".join(names[kind] for kind in field["for"].split(", ")),
            f"`{field['example']}`",
        )
        for field in spec["manifest"]["fields"]
    )
    return f"""## 10. 目録

JSON、UTF-8、オブジェクト一つ。ファイルと同じく署名・暗号化する。知らない項目は無視する。

{_table(("項目", "内容", "型", "対象", "例"), rows)}"""


def _samples(spec: dict[str, Any]) -> str:
    rows = ((kind, f"`{name}`", (SAMPLES / name).stat().st_size) for kind, name in spec["samples"].items())
    return f"""## 11. 見本データ

`include/kakuninsho/printer/contract/samples/` に、1バイトまで固定した見本がある(架空の人物)。

{_table(("種類", "ファイル", "バイト"), rows)}"""


def write_document(path: Path = DOCUMENT) -> Path:
    """Write the document."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(contract_document(), encoding="utf-8")
    return path


if __name__ == "__main__":
    print(write_document())
