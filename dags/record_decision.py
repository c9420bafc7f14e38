"""判断の記録: 保留の人、停止した支部

**Records a person's decision on a held case as a fact; a hold for address protection takes a second person.**

| | |
|---|---|
| 何を (what) | 判断: 保留を解く、対象外とする (理由つき)、住所を訂正した、支部を再開する、交付する (どの取扱いにも当たらない人) |
| どこから (from) | 支部の作業一覧 (`kakuninsho worklist`) と、この DAG のフォーム |
| どこへ (to) | `<data>/facts/feeds/decisions/`。次の差出しの計画に入る |
| いつ (when) | 支部から判断の連絡があったとき、手で |

住所や氏名はフォームに書かない。住所は基幹システムで直し、次の加入者データで届いてから correct_address を記録する。
判断した人は、画面に入っている利用者。名前を書く欄はない。

### 困ったとき (triage)

- `check` が赤: 対象・判断・理由のどれかが合わない。ログの一行に、何が合わないか、何をすればよいかがある。何も記録されていない。
- 支援措置 (`address_protected`): 二人目の承認を待つ。始めた人は答えられない (画面で断られ、質問は残る)。
- 「写しがまだない」「保留ではない」: `publish_for_analysts` を実行してからやり直す。
- 解いたのに送られない: 最新の加入者データでまだ支援措置の対象か、住所が印字できない。`explain_person` で見る。
"""

from __future__ import annotations

from typing import Any

from airflow.sdk import dag, task

from kakuninsho.orchestration import (
    FACTS,
    Tag,
    as_of,
    case_arguments,
    check_case,
    decision_form,
    record_case,
    second_person,
)


# Several cases may wait for their second person at the same time.
@dag(
    **case_arguments("record_decision", "判断の記録 (保留・支部の再開)", [Tag.CASES], decision_form(), at_once=16),
    doc_md=__doc__,
)
def record_decision() -> None:
    @task(task_display_name="判断の確認", multiple_outputs=False)
    def check() -> dict[str, Any]:
        return check_case(as_of())

    @task(task_display_name="記録", outlets=[FACTS])
    def record(checked: dict[str, Any]) -> list[str]:
        return record_case(checked)

    checked = check()
    recorded = record(checked)
    checked >> second_person() >> recorded


record_decision()
