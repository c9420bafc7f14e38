"""印刷会社からの報告の受入れ

**Brings acknowledgements, piece reports and returns in. Ends early when nothing is new.**

| | |
|---|---|
| 何を (what) | 受領確認・差出報告・返戻報告 |
| どこから (from) | 印刷会社 (SFTP) |
| どこへ (to) | `<data>/facts/feeds/` |
| いつ (when) | 印刷会社の報告日ごと |

### 困ったとき (triage)

- `fetch` が赤: 署名・復号・ホスト鍵の問題はメッセージに書いてある。印刷会社に確認し、直るまで取り込まない。
- 同じ名前で中身の違う報告: 取り込まない。印刷会社に新しい名前で出し直してもらう。
- `check_refusals` が赤: ほかの報告は取り込んだ。受け入れなかったファイルと理由はログの最後の行にある (手順書 `answer_refused`)。
  正しいファイルが届いたら、この DAG をもう一度実行する。
- 知らない管理番号の行: 取り込んだうえで警告に出る (`fct_alerts`)。
"""

from __future__ import annotations

from airflow.sdk import dag, task

from kakuninsho.orchestration import (
    Files,
    Tag,
    as_of,
    check_refusals,
    dag_arguments,
    decide,
    inbox_folder,
    is_dry_run,
    judge_files,
    land_files,
    on_days,
    printer_target,
    settings,
    skip,
)


@dag(
    **dag_arguments(
        "take_in_printer_reports",
        "印刷会社からの報告",
        [Tag.PRINTER],
        schedule=on_days(lambda campaign: campaign.printer_report_days, at=6),
    ),
    doc_md=__doc__,
)
def take_in_printer_reports() -> None:
    @task(task_display_name="受信")
    def fetch() -> Files:
        from kakuninsho.operations import answers

        files = decide(lambda: answers.fetch(settings(), printer_target(), as_of(), dry_run=is_dry_run()))
        if not files:
            skip("新しい報告はありません (nothing new)")
        return list(files)

    fetched = fetch()
    landed = land_files(judge_files(fetched, inbox_folder()))
    [fetched, landed] >> check_refusals()


take_in_printer_reports()
