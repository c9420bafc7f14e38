"""未着後 事業所発送

**Sends what came back as undelivered again, through the employer, a bundle per employer.**

| | |
|---|---|
| 何を (what) | 返戻された封筒 (同じ資格確認書) |
| どこから (from) | 返戻報告と最新の加入者データ |
| どこへ (to) | 印刷会社を経て事業所、支部窓口、保留 |
| いつ (when) | `follow_up_months` の各月の最初の営業日、最終回は `closing_follow_up_on` |

### 困ったとき (triage)

- 支援措置の人が一人でもいる封筒は全体が保留になる。支部の作業一覧を見る。
- 任意継続・事業所不明・全喪事業所は支部窓口に回る。
- `judge_plan` が赤: 一つの束に二つの事業所、など。送っていない。
"""

from __future__ import annotations

from airflow.sdk import dag, task

from kakuninsho.orchestration import FACTS, Tag, as_of, branch_param, check_wish, dag_arguments, on_days, plan_tasks


@dag(
    **dag_arguments(
        "follow_up_employers",
        "未着後 事業所発送",
        [Tag.EMPLOYER, Tag.MAILING],
        schedule=on_days(lambda campaign: campaign.follow_up_runs, at=7),
        more={"branch": branch_param()},
    ),
    doc_md=__doc__,
)
def follow_up_employers() -> None:
    @task(task_display_name="前提の確認", outlets=[FACTS], multiple_outputs=False)
    def check() -> dict[str, object]:
        from kakuninsho.plans.draft import PlanRequest

        return check_wish(PlanRequest("follow_up", as_of(), run_on=as_of()))

    plan_tasks(check(), what="未着分の事業所発送")


follow_up_employers()
