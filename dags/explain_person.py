"""説明: 一人について分かっていることのすべて

**Writes everything known of one person as a page that only the installation's owner can read; logs its path and no more.**

| | |
|---|---|
| 何を (what) | 見た規則を順に、決めた規則、資格確認書と封筒、出来事と元のファイル、このあと |
| どこから (from) | 公開された写しと `<data>/facts/` |
| どこへ (to) | `<data>/restricted/explanations/` (0700)。誰が尋ねたかは同じ場所の `asked.csv` |
| いつ (when) | 問い合わせがあったとき、手で |

同じ内容を端末で見るには `kakuninsho explain`。

### 困ったとき (triage)

- 「作業一覧にいません」: 整理番号は作業一覧にいる人だけ。資格確認書番号か、保険者番号-記号-番号-枝番 で尋ねる。
- 「何も分かっていません」: どの加入者データにも計画にもいない。番号を確かめる。
- 報告は個人の情報。用が済んだら消す。メールやチャットに貼らない。
"""

from __future__ import annotations

from airflow.sdk import dag, task

from kakuninsho.orchestration import Tag, case_arguments, explain_case, explanation_form


@dag(**case_arguments("explain_person", "説明 (一人について)", [Tag.CASES], explanation_form()), doc_md=__doc__)
def explain_person() -> None:
    @task(task_display_name="説明を書く")
    def write() -> str:
        return explain_case()

    write()


explain_person()
