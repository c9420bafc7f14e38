"""年度の締め

**As of the last day of service: what is still returned goes to the branch desk, everyone unserved is listed by reason, the ledger must close.**

| | |
|---|---|
| 何を (what) | 残った返戻、未交付者の一覧、台帳 |
| どこから (from) | `<data>/facts/` |
| どこへ (to) | 支部窓口の作業一覧、`<data>/summary.json` |
| いつ (when) | 交付期限の日 (`served_by`) |

### 困ったとき (triage)

- 台帳が閉じない: どの恒等式がいくつ開いているかがログにある。印刷会社の報告漏れなら取り込んでから再実行する。
- 未交付の人がいる: 理由ごとの件数がログに、明細が支部の作業一覧にある。
"""

from __future__ import annotations

from airflow.sdk import dag, task

from kakuninsho.orchestration import (
    POOL,
    Tag,
    as_of,
    branch,
    branch_param,
    dag_arguments,
    decide,
    end_dry_run,
    on_days,
    settings,
)


@dag(
    **dag_arguments(
        "close_season",
        "年度の締め",
        [Tag.MAILING, Tag.REPORTING],
        schedule=on_days(lambda campaign: [campaign.parameters.served_by], at=21),
        more={"branch": branch_param()},
    ),
    doc_md=__doc__,
)
def close_season() -> None:
    @task(task_display_name="締め", pool=POOL, multiple_outputs=False)
    def close() -> dict[str, int]:
        from kakuninsho.operations import closing, dry_runs

        only = branch()
        end_dry_run(lambda: dry_runs.close(settings(), as_of(), only))
        return dict(decide(lambda: closing.close_season(settings(), as_of())))

    close()


close_season()
