"""公開: 分析用の写しを作る

**Builds and tests every model as of the newest fact and replaces the published copy in one step.**

| | |
|---|---|
| 何を (what) | marts の全表 |
| どこから (from) | `<data>/facts/` |
| どこへ (to) | `<data>/published/analytics.duckdb` と Parquet (個人の列を除く)、`<data>/restricted/` (個人の列を含む表だけ)。新しい警報と解消は `<data>/alerts/` と通知先へ一度だけ |
| いつ (when) | 何かが取り込まれた・送られた後 (asset) |

### 困ったとき (triage)

- 赤: 直前の公開はそのまま残る。ログで失敗した検査の名前を見る。
- `announce_alerts` が赤: 公開は済んでいる。警報は `<data>/alerts/` にあり、まだ受け取っていない通知先 (webhook、メール) に
  次の実行でもう一度送る。接続 `alerts_webhook`・`alerts_mail` を確かめる。
- 台帳の検査が赤: `kakuninsho ledger` で開いている恒等式を見る。
"""

from __future__ import annotations

from airflow.sdk import dag, task

from kakuninsho.orchestration import (
    FACTS,
    POOL,
    Tag,
    announce_alerts,
    dag_arguments,
    decide,
    end_dry_run,
    settings,
    skip,
)


@dag(
    **dag_arguments("publish_for_analysts", "公開 (分析用の写し)", [Tag.REPORTING], schedule=[FACTS]),
    doc_md=__doc__,
)
def publish_for_analysts() -> None:
    @task(task_display_name="全モデルの作成と公開", pool=POOL)
    def publish() -> str:
        from kakuninsho import docs_site
        from kakuninsho.operations import dry_runs, publishing

        day = publishing.newest_fact_on(settings().store)
        if day is None:
            skip("まだ何も取り込まれていません (no facts yet)")
        end_dry_run(lambda: dry_runs.publication(settings(), day))
        decide(lambda: publishing.publish(settings(), day))
        decide(lambda: docs_site.refresh_dbt_docs(settings()))
        return day.isoformat()

    publish() >> announce_alerts()


publish_for_analysts()
