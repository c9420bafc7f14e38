"""申請・随時の交付

**Takes requests and decisions of the core system in, and plans certificates for requests, for members who became unable, and where a person decided to issue.**

| | |
|---|---|
| 何を (what) | 交付申請、判断 (交付するを含む)、任意の再交付、使えなくなった人 |
| どこから (from) | 基幹システム (`KAKUNINSHO_FEEDS`) |
| どこへ (to) | `<data>/facts/feeds/`、印刷会社 |
| いつ (when) | 毎週水曜日、休日なら翌営業日 (差出しはその翌営業日) |

### 困ったとき (triage)

- 却下された申請は理由とともに残る (`fct_requests`: `already_has_certificate`, `card_usable` など)。次回に判定し直すことはない。
- 保留 (`held`) の申請は毎週判定し直す。`kakuninsho worklist` に、だれが何を決めるかが出る。
- 事業所に送れない (`employer_closed`, `employer_unknown`, `employer_unreachable`): 判断 `release` を記録すると自宅に送る。
- 新しい申請も対象者もいない週は `judge_plan` から先が自動で終わる (skipped)。事実 `nothing_to_do` が残る。
- ファイルが読めない: 何も取り込まれていない。メッセージのとおり直して再実行する。
- 任意継続の世帯宛のロットには、計画とともに差出指示 (02 番) が送られる。事業所宛の束には要らない。
"""

from __future__ import annotations

from airflow.sdk import dag, task

from kakuninsho.orchestration import (
    FACTS,
    Files,
    Tag,
    as_of,
    branch_param,
    check_wish,
    core_feeds_folder,
    dag_arguments,
    is_dry_run,
    judge_files,
    land_files,
    on_days,
    plan_tasks,
    settings,
)

FEEDS = ("issue_requests", "decisions", "certificate_returns")


@dag(
    **dag_arguments(
        "issue_on_request",
        "申請・随時の交付",
        [Tag.MAILING, Tag.EMPLOYER],
        schedule=on_days(lambda campaign: campaign.request_runs, at=11),
        more={"branch": branch_param()},
    ),
    doc_md=__doc__,
)
def issue_on_request() -> None:
    @task(task_display_name="申請を探す")
    def find() -> Files:
        from kakuninsho.operations import answers

        answers.watch_inbox(settings(), as_of(), dry_run=is_dry_run())
        # Without a new file there can be people who became unable, or requests that were held until now.
        return list(answers.find_core_feeds(settings(), FEEDS))

    # After a dry run that takes no file in, the plan is shown of what has landed before.
    @task(task_display_name="前提の確認", outlets=[FACTS], trigger_rule="none_failed", multiple_outputs=False)
    def check() -> dict[str, object]:
        from kakuninsho.operations.planning import request_wish

        return check_wish(request_wish(as_of()))

    wish = check()
    land_files(judge_files(find(), core_feeds_folder())) >> wish
    plan_tasks(wish, what="申請・随時の交付")


issue_on_request()
