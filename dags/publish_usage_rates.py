"""利用実績の公開

**Takes counts of card use in and publishes the ranking of prefectures. Unknown stays unknown.**

| | |
|---|---|
| 何を (what) | マイナ保険証の利用件数 |
| どこから (from) | 基幹システム (`KAKUNINSHO_FEEDS`) |
| どこへ (to) | fct_usage_rates、`<data>/published/usage_rates/` (二つの月を並べた順位表、図、全部の率) |
| いつ (when) | 毎月 |

### 困ったとき (triage)

- 件数が届いていない: 取込みは飛ばし、順位表と図は分かっている値で作る。赤ではない。
- 都道府県が揃わない月: 順位は計算しない。
"""

from __future__ import annotations

from airflow.sdk import dag, task

from kakuninsho.orchestration import (
    POOL,
    Files,
    Tag,
    as_of,
    core_feeds_folder,
    dag_arguments,
    decide,
    is_dry_run,
    judge_files,
    land_files,
    on_days,
    settings,
    skip,
)


@dag(
    **dag_arguments(
        "publish_usage_rates",
        "利用実績",
        [Tag.REPORTING],
        schedule=on_days(lambda campaign: campaign.monthly(campaign.parameters.usage_rates_day_of_month), at=11),
    ),
    doc_md=__doc__,
)
def publish_usage_rates() -> None:
    @task(task_display_name="件数を探す")
    def find() -> Files:
        from kakuninsho.operations import answers

        answers.watch_inbox(settings(), as_of(), dry_run=is_dry_run())
        files = answers.find_core_feeds(settings(), ("usage_counts",))
        if not files:
            skip("新しい件数はありません (no new counts)")
        return list(files)

    @task(task_display_name="順位表と図", pool=POOL, trigger_rule="none_failed", multiple_outputs=False)
    def rank() -> dict[str, int]:
        from kakuninsho.operations import usage

        if is_dry_run():
            skip("試行のため順位表と図は作り直しません (dry run)")
        return dict(decide(lambda: usage.publish_rates(settings(), as_of())))

    land_files(judge_files(find(), core_feeds_folder())) >> rank()


publish_usage_rates()
