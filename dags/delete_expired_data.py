"""保存期限を過ぎたデータの削除

**Deletes the payload of facts that are kept longer than the campaign allows; fact.json and totals stay.**

| | |
|---|---|
| 何を (what) | 保存期限を過ぎた事実の中身 |
| どこから (from) | `<data>/facts/` |
| どこへ (to) | — |
| いつ (when) | 毎月 |

### 困ったとき (triage)

- 何も期限を過ぎていない: 自動で終わる (skipped)。だれにもたずねない。
- 期限を過ぎたものがある: 異なる二人の承認を待つ。却下すると何も削除されない。
- 先の日付を入れた: 拒否される。試行 (dry run) では先の日も見られる。
- 削除したことは事実 `deletions` に残り (名前、ハッシュ、日)、fact.json はそのまま。台帳は閉じたまま。
- 基準日と最新の加入者データ、終わっていない発送物が拠るものは、期限を過ぎても残る。
"""

from __future__ import annotations

from typing import Any

from airflow.sdk import dag, task

from kakuninsho.orchestration import (
    FACTS,
    Tag,
    as_of,
    dag_arguments,
    decide,
    delete_approved,
    deletion_approvals,
    end_dry_run,
    expired_today,
    on_days,
    settings,
    skip,
)


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
    @task(task_display_name="期限を過ぎたものを探す", multiple_outputs=False)
    def find() -> dict[str, Any]:
        from kakuninsho.operations import dry_runs

        end_dry_run(lambda: dry_runs.deletion(settings(), as_of()))
        found = decide(expired_today)
        if not found.facts:
            skip("期限を過ぎたものはありません (nothing has expired)")
        return {"counts": found.counts, "on": found.on.isoformat(), "sha256": found.subject.sha256}

    @task(task_display_name="削除", outlets=[FACTS], multiple_outputs=False)
    def delete(found: dict[str, Any]) -> dict[str, int]:
        return delete_approved()

    found = find()
    first, second = deletion_approvals()
    deleted = delete(found)
    found >> first >> second >> deleted


delete_expired_data()
