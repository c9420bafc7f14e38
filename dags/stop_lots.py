"""差出しの停止・廃棄・再開 (中止指示)

**Holds, destroys or resumes lots that lie at the printer, after two people have approved it.**

| | |
|---|---|
| 何を (what) | 印刷会社にあるロットへの中止指示 |
| どこから (from) | フォーム (ロット・支部・差出日、指示、理由) |
| どこへ (to) | 印刷会社 (SFTP)。事実 `plans/stop-…` と `transfers/…--stopped` |
| いつ (when) | 人が決めたとき |

| 指示 | 印刷前 | 印刷後・差出前 | 差出後 |
|---|---|---|---|
| hold | 再開まで印刷しない | 施錠保管 | 効果なし |
| destroy | 印刷せず全件 pulled | 廃棄して全件 pulled | 効果なし |
| resume | 作業を再開。差出しには新しい差出指示が要る | 同左 | 効果なし |

### 困ったとき (triage)

- 止めたあと差し出すには: `resume` を送る。次の `release_lots` が、最新の加入者データで再確認してから指示する。
- 作り直すには: `destroy` を送る。個人宛は `hand_off_to_printer` を手で実行すると新しいロットで送り直す (計画 resend)。
  事業所あて・一覧表・申請分は、次の `follow_up_employers`・`send_employer_lists`・`issue_on_request` が取り直す。
- `draft_plan` が赤: 差出済みなど、効果のあるロットがない。件数が段階ごとにメッセージにある。何も送っていない。
- 印刷会社が拒否した (`order_rejected`, too_late): 間に合わなかった。差出報告を待つ。
- 停止後に差し出された (`stopped_piece_posted`): 事故。手順書に従う。
"""

from __future__ import annotations

from airflow.sdk import dag, task

from kakuninsho.orchestration import FACTS, Tag, check_wish, dag_arguments, plan_tasks, stop_form, stop_wish


@dag(
    **dag_arguments(
        "stop_lots",
        "差出しの停止・廃棄・再開",
        [Tag.PRINTER, Tag.MAILING],
        schedule=None,
        more=stop_form(),
    ),
    doc_md=__doc__,
)
def stop_lots() -> None:
    @task(task_display_name="前提の確認", outlets=[FACTS], multiple_outputs=False)
    def check() -> dict[str, object]:
        return check_wish(stop_wish())

    plan_tasks(check(), what="差出しの停止・廃棄・再開")


stop_lots()
