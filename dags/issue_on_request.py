"""申請・随時の交付

**Takes requests and decisions of the core system in, and plans certificates for requests and for members who became unable.**

| | |
|---|---|
| 何を (what) | 交付申請、判断、任意の再交付 |
| どこから (from) | 基幹システム (`KAKUNINSHO_FEEDS`) |
| どこへ (to) | `<data>/facts/feeds/`、印刷会社 |
| いつ (when) | 毎月 |

### 困ったとき (triage)

- 却下された申請は理由とともに残る (`already_has_certificate`, `card_usable`)。
- ファイルが読めない: 何も取り込まれていない。メッセージのとおり直して再実行する。
"""

from __future__ import annotations

from airflow.sdk import dag, task

from kakuninsho.orchestration import (
    Files,
    Tag,
    core_feeds_folder,
    dag_arguments,
    judge_files,
    land_files,
    on_days,
    settings,
    skip,
)

FEEDS = ("issue_requests", "decisions", "certificate_returns")


@dag(
    **dag_arguments(
        "issue_on_request",
        "申請・随時の交付",
        [Tag.MAILING, Tag.EMPLOYER],
        schedule=on_days(lambda campaign: campaign.monthly(campaign.parameters.requests_day_of_month), at=11),
    ),
    doc_md=__doc__,
)
def issue_on_request() -> None:
    @task(task_display_name="申請を探す")
    def find() -> Files:
        from kakuninsho.operations import answers

        files = answers.find_core_feeds(settings(), FEEDS)
        if not files:
            skip("新しい申請はありません (no new request)")
        return list(files)

    land_files(judge_files(find(), core_feeds_folder()))


issue_on_request()
