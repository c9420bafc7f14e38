"""判断の記録: 保留の人、停止した支部

**Records a person's decision on a held case as a fact; a hold for address protection takes a second person.**

| | |
|---|---|
| 何を (what) | 判断: 保留を解く、対象外とする (理由つき)、住所を訂正した、支部を再開する |
| どこから (from) | 支部の作業一覧 (`kakuninsho worklist`) と、この DAG のフォーム |
| どこへ (to) | `<data>/facts/feeds/decisions/`。次の差出しの計画に入る |
| いつ (when) | 支部から判断の連絡があったとき、手で |

住所や氏名はフォームに書かない。住所は基幹システムで直し、次の加入者データで届いてから correct_address を記録する。
判断した人は、画面に入っている利用者。名前を書く欄はない。

### 困ったとき (triage)

- `check` が赤: 対象・判断・理由のどれかが合わない。ログの一行に、何が合わないか、何をすればよいかがある。何も記録されていない。
- 支援措置 (`address_protected`): 二人目の承認を待つ。同じ人が答えると `record` が赤になり、何も記録されない。別の人が初めからやり直す。
- 「写しがまだない」「保留ではない」: `publish_for_analysts` を実行してからやり直す。
- 解いたのに送られない: 最新の加入者データでまだ支援措置の対象か、住所が印字できない。`explain_person` で見る。
"""

from __future__ import annotations

from typing import Any

from airflow.sdk import dag, task

from kakuninsho.orchestration import (
    FACTS,
    SecondPerson,
    Tag,
    as_of,
    asking_user,
    case_arguments,
    case_decision,
    check_case,
    decide,
    decision_form,
    settings,
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

    second = SecondPerson(task_id="second_person", task_display_name="二人目の承認 (支援措置のみ)", checked_by="check")

    @task(task_display_name="記録", outlets=[FACTS])
    def record(answer: dict[str, Any]) -> list[str]:
        from kakuninsho.operations.deciding import record_by

        wish, name, approved = case_decision(as_of()), SecondPerson.name_of(answer), SecondPerson.approved(answer)
        facts = decide(lambda: record_by(settings(), wish(), asking_user(), name, approved=approved))
        return [fact.name for fact in facts]

    check() >> second
    record(second.output)


record_decision()
