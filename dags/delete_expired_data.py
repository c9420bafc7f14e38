"""保存期限を過ぎたデータの削除

**Deletes the payload of facts that are kept longer than the campaign allows; fact.json and totals stay.**

| | |
|---|---|
| 何を (what) | 保存期限を過ぎた事実の中身 |
| どこから (from) | `<data>/facts/` |
| どこへ (to) | — |
| いつ (when) | 毎月 |

### 困ったとき (triage)

- 何も期限を過ぎていない: 自動で終わる。
- 削除した事実は fact.json に「削除日」が残り、台帳は閉じたまま。
"""

from __future__ import annotations

from airflow.sdk import dag, task

from kakuninsho.orchestration import Tag, as_of, dag_arguments, end_dry_run, on_days, settings


@dag(
    **dag_arguments(
        "delete_expired_data",
        "保存期限を過ぎたデータの削除",
        [Tag.UPKEEP],
        schedule=on_days(lambda campaign: campaign.monthly(campaign.parameters.deletion_day_of_month), at=21),
        bounded=False,
    ),
    doc_md=__doc__,
)
def delete_expired_data() -> None:
    @task(task_display_name="削除", multiple_outputs=False)
    def delete() -> dict[str, int]:
        from kakuninsho.operations import dry_runs, retention

        end_dry_run(lambda: dry_runs.deletion(settings(), as_of()))
        return retention.delete_expired(settings(), as_of())

    delete()


delete_expired_data()
