"""データ抽出: 加入者データの受入れ

**Lands each complete register drop that has not landed yet, oldest first.**

| | |
|---|---|
| 何を (what) | register/v1 の配信 (加入者・住所・事業所・マイナンバーカード) |
| どこから (from) | 基幹システムの配信フォルダ (`KAKUNINSHO_REGISTER`) |
| どこへ (to) | `<data>/facts/register/as_of=…/` |
| いつ (when) | 基準日 (`snapshot_as_of`) の夕方、以後は配信のあるごとの夕方 |

### 困ったとき (triage)

- `find` が何も見つけない: 目録 (manifest.json) がまだ届いていない。配信が終わるのを待つ。赤ではない。
- 受け入れられない配信 (照合・規則・検査のどれか): その配信だけを取り込まず、警報 `register_drop_refused` になる。ほかの配信は取り込む。
  理由は `stage`・`judge` のログと警報の手順書にある。赤になるのは、取り込んだ加入者データが一つもないときだけ。
- `look_at_what_is_out` が警報を出した: 送付の後に支援措置となった人がいる。DAG `pull_pieces` が急ぎの引抜きを作り、承認を待つ。
- 同じ基準日で中身の違う配信: 取り込まず、同じ警報で知らせる。後の配信は取り込む。基幹システムに確認する。
"""

from __future__ import annotations

from airflow.sdk import dag, task

from kakuninsho.orchestration import (
    FACTS,
    POOL,
    Tag,
    alert_of_what_is_out,
    as_of,
    dag_arguments,
    decide,
    end_dry_run,
    on_days,
    run_key,
    settings,
    skip,
)


@dag(
    **dag_arguments(
        "extract_register",
        "データ抽出",
        [Tag.REGISTER],
        schedule=on_days(lambda campaign: campaign.register_drops, at=19),
    ),
    doc_md=__doc__,
)
def extract_register() -> None:
    @task(task_display_name="配信を探す")
    def find() -> list[str]:
        from kakuninsho.operations import extraction

        names = extraction.find(settings(), as_of())
        if not names:
            skip("新しい配信はありません (no new drop)")
        return names

    @task(task_display_name="照合と行の判定")
    def stage(names: list[str]) -> list[str]:
        from kakuninsho.operations import extraction

        decide(lambda: extraction.stage(settings(), names, as_of(), run_key()))
        return names

    @task(task_display_name="検査 (Great Expectations)")
    def judge(names: list[str]) -> list[str]:
        from kakuninsho.operations import extraction

        decide(lambda: extraction.judge(settings(), names, as_of(), run_key()))
        return names

    @task(task_display_name="取込み", outlets=[FACTS])
    def land(names: list[str]) -> list[str]:
        from kakuninsho.operations import dry_runs, extraction

        end_dry_run(lambda: dry_runs.register(settings(), names, as_of(), run_key()))
        return list(decide(lambda: extraction.land(settings(), names, as_of(), run_key())))

    @task(task_display_name="変更点 (支部別)")
    def show_changes(names: list[str]) -> None:
        from kakuninsho.operations import changes

        changes.log_register_changes(settings(), names)

    @task(task_display_name="送付後の確認", pool=POOL)
    def look_at_what_is_out() -> int:
        return alert_of_what_is_out()

    landed = land(judge(stage(find())))
    show_changes(landed)
    landed >> look_at_what_is_out()


extract_register()
