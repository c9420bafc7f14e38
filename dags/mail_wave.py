"""個人宛に発送 (月の開始)

**Opens a month of home mailing: shows what it will post, branch by branch, and what is missing. Sends nothing.**

| | |
|---|---|
| 何を (what) | その月に差し出すロットと封筒の一覧 |
| どこから (from) | 確定した計画 |
| どこへ (to) | 画面と `<data>/published/waves/` |
| いつ (when) | `wave_months` の各月の最初の営業日 |

### 困ったとき (triage)

- `check` が赤: 発送データの提供 (`hand_off_to_printer`) が終わっていない。
- 印刷会社の受領確認がないロットがある: `take_in_printer_reports` を見て、印刷会社に問い合わせる。
- 差出しそのものは `release_lots` が差出日ごとに行う。
"""

from __future__ import annotations

from airflow.sdk import dag, task

from kakuninsho.orchestration import (
    Tag,
    as_of,
    branch,
    branch_param,
    chosen,
    dag_arguments,
    decide,
    end_dry_run,
    on_days,
    settings,
    wave_param,
)


@dag(
    **dag_arguments(
        "mail_wave",
        "個人宛に発送 (月の開始)",
        [Tag.MAILING],
        schedule=on_days(lambda campaign: campaign.wave_openings, at=9),
        more={"wave": wave_param(), "branch": branch_param()},
    ),
    doc_md=__doc__,
)
def mail_wave() -> None:
    @task(task_display_name="月の予定", multiple_outputs=False)
    def show_month() -> dict[str, int]:
        from kakuninsho.operations import dry_runs, waves

        only = branch()
        end_dry_run(lambda: dry_runs.month(settings(), as_of(), chosen("wave"), only))
        return dict(decide(lambda: waves.open_month(settings(), as_of(), chosen("wave"))))

    show_month()


mail_wave()
