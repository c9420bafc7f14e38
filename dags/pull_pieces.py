"""急ぎの引抜き: 送付の後に支援措置・保留となった発送物

**Looks, whenever facts have landed, at what is out; drafts an urgent pull of pieces that must not be posted any more.**

| | |
|---|---|
| 何を (what) | 印刷会社への急ぎの引抜き指示 (封筒・束・一覧表ごと) |
| どこから (from) | 最新の加入者データと判断 (`hold_piece`)、差出しの報告がまだない発送物 |
| どこへ (to) | 印刷会社 (SFTP)。事実 `plans/pull-…` |
| いつ (when) | 加入者データや判断が取り込まれるたび (asset)。手でも始められる |

### 困ったとき (triage)

- `look_at_what_is_out` が飛ばされた: 急いで引き抜くものはない。赤ではない。
- 承認を待っている: **差出しは待たない。** 承認者に電話する。承認の画面に、対象の件数と差出日を過ぎた件数がある。
- 印刷会社が拒否した (`order_rejected`, too_late) または posted と報告した: 間に合わなかった。警報 `protected_piece_posted` の手順書に
  従う。二人が `record_decision` の `incident_closed` を記録するまで、年度は締められない。
- `draft_plan` が赤 (other pieces): 見た後に対象が変わった。この DAG を初めから実行し直す。
"""

from __future__ import annotations

from airflow.sdk import dag, task

from kakuninsho.orchestration import FACTS, POOL, Tag, check_what_is_out, dag_arguments, plan_tasks


@dag(
    **dag_arguments("pull_pieces", "急ぎの引抜き", [Tag.PRINTER, Tag.MAILING], schedule=[FACTS]),
    doc_md=__doc__,
)
def pull_pieces() -> None:
    @task(task_display_name="送付後の確認", pool=POOL, multiple_outputs=False)
    def look_at_what_is_out() -> dict[str, object]:
        return check_what_is_out()

    plan_tasks(look_at_what_is_out(), what="急ぎの引抜き")


pull_pieces()
