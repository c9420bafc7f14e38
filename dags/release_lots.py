"""差出し: 再確認・引抜き・承認・差出指示

**Re-checks every planned envelope of the next posting date against the newest register, pulls, repacks, and releases.**

| | |
|---|---|
| 何を (what) | 差出日のロット、引抜きリスト、追送ロット、差出指示 |
| どこから (from) | 確定した計画と最新の加入者データ |
| どこへ (to) | 印刷会社 |
| いつ (when) | 各差出日の 1 営業日前 |

### 困ったとき (triage)

- その日に差し出すロットがない: 作成の後、`judge_plan` から先が自動で終わる (skipped)。確定も承認もしない。
- 警告「加入者データが 7 日より古い」: 最新の配信を確認してから承認する。
- 支部が停止中 (返戻率超過): そのロットは除かれる。再開の判断 (`resume`) を記録すると次回に含まれる。
- 承認を却下した: 計画は無効になり番号は使われない。原因を直して DAG を再実行する。
"""

from __future__ import annotations

from datetime import date

from airflow.sdk import dag, task

from kakuninsho.orchestration import (
    FACTS,
    Tag,
    as_of,
    branch_param,
    check_wish,
    chosen,
    dag_arguments,
    decide,
    on_days,
    plan_tasks,
    posting_date_param,
    settings,
)


@dag(
    **dag_arguments(
        "release_lots",
        "差出し (再確認・引抜き・指示)",
        [Tag.MAILING, Tag.PRINTER],
        schedule=on_days(lambda campaign: campaign.releases, at=9),
        more={"posting_date": posting_date_param(), "branch": branch_param()},
    ),
    doc_md=__doc__,
)
def release_lots() -> None:
    @task(task_display_name="前提の確認", outlets=[FACTS], multiple_outputs=False)
    def check() -> dict[str, object]:
        from kakuninsho.operations.waves import release_wish

        posting = chosen("posting_date")
        day = date.fromisoformat(posting) if posting else None
        return check_wish(decide(lambda: release_wish(settings(), as_of(), day)))

    plan_tasks(check(), what="差出し")


release_lots()
