"""対象者一覧 発送: 送付予定対象者一覧表を事業所へ送る

**One list per employer that has a target, sent before the home mail.**

| | |
|---|---|
| 何を (what) | 事業所ごとの送付予定対象者一覧表 (番号・枝番・氏名だけ) |
| どこから (from) | 基準日の対象者と最新の加入者データ |
| どこへ (to) | 印刷会社を経て事業所 |
| いつ (when) | `employer_lists_on`、個人宛発送の前 |

### 困ったとき (triage)

- 一覧は発送名簿ではない: 基準日より後に退職した人も載る。以後の業務で名簿として使わない。
- `judge_plan` が赤: 支援措置・任意継続の人が混じっていないか検査報告を見る。送っていない。
"""

from __future__ import annotations

from airflow.sdk import dag, task

from kakuninsho.orchestration import FACTS, Tag, as_of, branch_param, check_wish, dag_arguments, on_days, plan_tasks


@dag(
    **dag_arguments(
        "send_employer_lists",
        "対象者一覧 発送",
        [Tag.EMPLOYER, Tag.PRINTER],
        schedule=on_days(lambda campaign: [campaign.parameters.employer_lists_on], at=9),
        more={"branch": branch_param()},
    ),
    doc_md=__doc__,
)
def send_employer_lists() -> None:
    @task(task_display_name="前提の確認", outlets=[FACTS], multiple_outputs=False)
    def check() -> dict[str, object]:
        from kakuninsho.plans.draft import PlanRequest

        return check_wish(PlanRequest("employer_list", as_of(), run_on=as_of()))

    plan_tasks(check(), what="送付予定対象者一覧表の発送")


send_employer_lists()
