"""データ提供: 個人宛発送の全ロットを印刷会社へ渡す

**Decides every member of the register, plans all home envelopes and hands their lots to the printer.**

| | |
|---|---|
| 何を (what) | 資格確認書の全対象者の封筒・ロット (計画 home) |
| どこから (from) | 基準日の加入者データ |
| どこへ (to) | 印刷会社 (SFTP、OpenPGP) |
| いつ (when) | `hand_off_on` |

### 困ったとき (triage)

- `check` が赤: 加入者データがまだない。`extract_register` を先に。
- `judge_plan` が赤: 計画は確定していない。検査報告を見て原因を直し、DAG を再実行する。
- 承認で止まっている: 二人の承認待ち。同じ人は二度承認できない。
- 印刷会社がロットを拒否した (`lot_rejected`): 原因を直し、この DAG を手で実行する。拒否されたロットだけを新しい番号で作り直して送る。
- 全ロットを送った後に実行し、作り直すロットもない: `judge_plan` から先が自動で終わる (skipped)。
- `send` が赤: 接続や鍵の問題。送れた分は記録されており、再実行しても二重に送らない。
"""

from __future__ import annotations

from airflow.sdk import dag, task

from kakuninsho.orchestration import (
    FACTS,
    Tag,
    as_of,
    branch_param,
    check_wish,
    dag_arguments,
    on_days,
    plan_tasks,
    settings,
)


@dag(
    **dag_arguments(
        "hand_off_to_printer",
        "データ提供 (印刷会社へ)",
        [Tag.PRINTER, Tag.MAILING],
        schedule=on_days(lambda campaign: [campaign.parameters.hand_off_on], at=9),
        more={"branch": branch_param()},
    ),
    doc_md=__doc__,
)
def hand_off_to_printer() -> None:
    @task(task_display_name="前提の確認", outlets=[FACTS], multiple_outputs=False)
    def check() -> dict[str, object]:
        from kakuninsho.operations.waves import hand_off_wish

        return check_wish(hand_off_wish(settings(), as_of()))

    plan_tasks(check(), what="個人宛発送データの提供")


hand_off_to_printer()
