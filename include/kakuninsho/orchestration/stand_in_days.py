"""Days that pass in the stand-in world of `make up`, and the runs that the calendar names for them."""

from __future__ import annotations

import logging
from datetime import date, timedelta
from typing import Any

from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import Param, get_current_context
from airflow.sdk.exceptions import AirflowFailException

from kakuninsho.operations import forms
from kakuninsho.orchestration.run import chosen, settings, skip

log = logging.getLogger(__name__)


def days_form() -> dict[str, Param]:
    """The form of the DAG that lets days pass."""
    field = forms.as_of_field(settings().campaign, ())
    words = (
        "代役の世界をこの日まで進め、その間に予定された DAG を順に始めます。"
        "空欄のときは、次に予定のある一日だけ進めます。"
    )
    return {
        "to": Param(None, **{**field, "title": "この日まで", "description": words}),
        "start": Param(
            default=True,
            type="boolean",
            title="予定の DAG を始める",
            description="外すと日付だけを進めます。DAG は自分で基準日を入れて始めてください。",
        ),
    }


def days_to_play() -> list[dict[str, Any]]:
    """The runs that the calendar names for the days to pass, as arguments of `StartRun`."""
    from airflow.dag_processing.dagbag import DagBag

    from kakuninsho.paths import DAGS
    from kakuninsho.server import outside

    context = get_current_context()
    folder, to = outside.root(), chosen("to")
    if folder is None:
        raise AirflowFailException("代役の世界がありません: `make up` で始めてください")
    bag = DagBag(str(DAGS))
    runs = outside.planned({dag_id: getattr(dag.timetable, "event_dates", ()) for dag_id, dag in bag.dags.items()})
    try:
        now = outside.today(folder)
        if not settings().store.all("register"):  # nothing has been played: begin with the first day, not the next
            now = min(now, settings().campaign.parameters.snapshot_as_of - timedelta(days=1))
        due = outside.due(runs, now, date.fromisoformat(to) if to else None)
        if not due and to is None:
            skip(f"代役の日は {now} で、この先に予定はありません (the season is over)")
        if not context["params"]["start"] or not due:
            outside.reach(folder, date.fromisoformat(to) if to else due[-1].day)
    except outside.OutsideError as error:
        raise AirflowFailException(str(error)) from None
    for run in due:
        log.info("%s  %s", run.moment.strftime("%Y-%m-%d %H:%M"), run.dag_id)
    if not context["params"]["start"]:
        return []
    mark = context["dag_run"].run_id
    return [
        {
            "trigger_dag_id": run.dag_id,
            "trigger_run_id": f"{run.day}__{run.dag_id}__{mark}",
            "conf": {"as_of": run.day.isoformat()},
        }
        for run in due
    ]


class StartRun(TriggerDagRunOperator):
    """Starts one run of another DAG and waits for it; not when the one before it did not succeed."""

    def execute(self, context: Any) -> None:
        """Start it and wait.

        Raises:
            AirflowFailException: the run before this one did not succeed.
        """
        ti = context["ti"]
        if ti.map_index > 0:
            before = ti.xcom_pull(task_ids="look")[ti.map_index - 1]
            state = ti.get_dagrun_state(dag_id=before["trigger_dag_id"], run_id=before["trigger_run_id"])
            if state != "success":
                raise AirflowFailException(
                    f"{before['trigger_dag_id']} ({before['conf']['as_of']}) が成功していないので、"
                    "ここで止めます。原因を直してやり直してから、同じ日付で実行してください"
                )
        super().execute(context)
