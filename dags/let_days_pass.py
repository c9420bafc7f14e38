"""日を進める (代役の世界)

**Lets days pass in the stand-in world of `make up`, and starts the DAGs that the calendar names for them, one after the other.**

| | |
|---|---|
| 何を (what) | 印刷会社・郵便・基幹システムの代役の日付 |
| どこから (from) | 年度の暦 |
| どこへ (to) | 代役、予定された各 DAG (基準日つき) |
| いつ (when) | 手で始めたとき。空欄なら、次に予定のある一日 |

実際の運用にはこの DAG はありません (`KAKUNINSHO_SANDBOX` があるときだけ現れます)。
承認の要る DAG は二人の承認を待ち、それが終わってから次へ進みます。

### 困ったとき (triage)

- 途中の DAG が失敗した: その後は始まらない。原因を直し、その DAG をやり直してから、この DAG を同じ日付で実行する。
- 進みすぎた: 代役の日は戻せない。新しいデータフォルダで `make up DATA=…` からやり直す。
"""

from __future__ import annotations

from typing import Any

from airflow.sdk import dag, task

from kakuninsho.orchestration import StartRun, Tag, dag_arguments, days_form, days_to_play, sandbox_root


def let_days_pass() -> None:
    @task(task_display_name="予定を調べる")
    def look() -> list[dict[str, Any]]:
        return days_to_play()

    StartRun.partial(
        task_id="start",
        task_display_name="予定の DAG を順に始める",
        map_index_template="{{ task.conf['as_of'] }} {{ task.trigger_dag_id }}",
        wait_for_completion=True,
        poke_interval=3,
        retries=0,
        max_active_tis_per_dagrun=1,
    ).expand_kwargs(look())


if sandbox_root() is not None:
    arguments = dag_arguments("let_days_pass", "日を進める (代役)", [Tag.PLAY], schedule=None)
    dag(**{**arguments, "params": days_form()}, doc_md=__doc__)(let_days_pass)()
