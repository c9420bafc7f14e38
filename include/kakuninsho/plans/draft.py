"""Drafting a plan: from what dbt says is pending to the tables of a plan, with control numbers.

A draft lies under `<data>/candidates/<plan_id>/`. The gate judges it there; `freeze` then makes it a fact.
Drafting again writes the same bytes for the same facts.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path

import duckdb

from kakuninsho.campaign import Campaign, add_business_days
from kakuninsho.facts.schemas import PLANS, Columns
from kakuninsho.facts.store import FactStore, write_empty
from kakuninsho.plans.control_numbers import control_number_sql, highest_sequence
from kakuninsho.plans.cover_letters import old_card_notice
from kakuninsho.warehouse import warehouse


class PlanError(RuntimeError):
    """A plan cannot be drafted or frozen. Says which plan and what to do."""


@dataclass(frozen=True)
class StopWish:
    """Which lots a stop order is about, and what it does. A lot must fit everything that is given.

    `effect`: hold, destroy, resume, with the effects per stage of the contract printer/v1.
    """

    effect: str
    reason_code: str
    lot_ids: tuple[str, ...] = ()
    prefecture: int | None = None
    posting_date: date | None = None

    @property
    def digest(self) -> str:
        """Tells two orders of one day apart."""
        return hashlib.sha256(self.as_text().encode()).hexdigest()[:8]

    def as_text(self) -> str:
        """A form in which tasks pass it on."""
        return json.dumps(asdict(self), default=str)

    @classmethod
    def from_text(cls, text: str) -> StopWish:
        """The opposite of `as_text`."""
        given = json.loads(text)
        day = date.fromisoformat(given["posting_date"]) if given["posting_date"] else None
        return cls(**given | {"lot_ids": tuple(given["lot_ids"]), "posting_date": day})


@dataclass(frozen=True)
class PlanRequest:
    """Which plan is wanted, for which day."""

    kind: str  # home, release, resend, employer_list, follow_up, request, stop, pull
    as_of: date
    posting_date: date | None = None
    run_on: date | None = None
    attempt: int = 1  # counts on when the plan before was rejected by an approver
    stop: StopWish | None = None
    pieces: str | None = None  # of an urgent pull: the digest of the control numbers that it is about

    @property
    def plan_id(self) -> str:
        """Name of the plan: the same wish has the same name, so that asking twice freezes once."""
        days = (self.run_on, self.as_of) if self.kind == "request" else (self.posting_date, self.run_on, self.as_of)
        day = next(day for day in days if day)
        again = f"-{self.stop.digest}" if self.stop else f"-{self.pieces}" if self.pieces else ""
        again += f"-{self.attempt}" if self.attempt > 1 else ""
        return f"{self.kind.replace('_', '-')}-{day.isoformat()}{again}"


@dataclass(frozen=True)
class Draft:
    """A drafted plan and its control totals (seeds apart)."""

    plan_id: str
    path: Path
    totals: dict[str, int | None]

    @classmethod
    def read(cls, path: Path) -> Draft:
        """The draft in a folder."""
        return cls(path.name, path, json.loads((path / "draft.json").read_text(encoding="utf-8")))


def digest_of(envelope_ids: Sequence[str]) -> str:
    """Names a set of pieces by their control numbers."""
    return hashlib.sha256("\n".join(sorted(envelope_ids)).encode()).hexdigest()[:8]


def candidate_path(store: FactStore, plan_id: str) -> Path:
    """Where the draft of a plan lies."""
    return store.data / "candidates" / plan_id


def draft_plan(store: FactStore, campaign: Campaign, request: PlanRequest) -> Draft:
    """Write the draft of a plan from the pending models of the warehouse, which must be built for its day.

    Raises:
        PlanError: the warehouse was built for another day or run.
    """
    path = candidate_path(store, request.plan_id)
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True)
    base = highest_sequence(store)
    with warehouse(store.data) as connection:
        _check_context(connection, request)
        _stamp(connection, campaign, request, base)
        _PENDING[request.kind](connection, campaign, request)
        _number_pieces(connection, campaign, request)
        _note_bundles(connection, campaign, request)
        written = _export(connection, path, request)
    totals = {**written, "highest_sequence_before": base}
    (path / "draft.json").write_text(json.dumps(totals, indent=1) + "\n", encoding="utf-8")
    return Draft(request.plan_id, path, totals)


def _check_context(connection: duckdb.DuckDBPyConnection, request: PlanRequest) -> None:
    """The context row travels with the models: a stale warehouse is refused, not used."""
    row = connection.execute(
        "select as_of, run_kind, posting_date, run_on from intermediate.int_run_context"
    ).fetchone()
    wanted = (request.as_of, request.kind, request.posting_date, request.run_on)
    if row != wanted:
        raise PlanError(
            f"plan {request.plan_id}: the warehouse was built for {row}, this plan needs {wanted}; "
            "run the build task of this DAG run again"
        )


def _stamp(connection: duckdb.DuckDBPyConnection, campaign: Campaign, request: PlanRequest, base: int) -> None:
    values = campaign.parameters
    classes = values.postage_classes
    cases = " ".join(f"when weight <= {item.up_to_g} then {item.yen}" for item in classes[:-1])
    connection.execute(f"create temp macro postage(weight) as case {cases} else {classes[-1].yen} end")
    paper = (
        values.outer_envelope_weight_g
        + values.mount_weight_g
        + values.leaflet_weight_g
        + values.reply_envelope_weight_g
    )
    each = values.certificate_weight_g + values.seal_weight_g
    connection.execute(f"create temp macro packet_weight(certificates) as round({paper} + certificates * {each}, 1)")
    connection.execute(
        f"""
        create temp table stamp as
        select
            '{request.plan_id}' as plan_id,
            date '{request.as_of}' as received_on,
            {base}::bigint as base_sequence,
            {values.seed_households_per_lot}::bigint as seeds,
            {values.samples_from_envelopes}::bigint as samples_from,
            {values.replacement_numbers_share} as replacement_share,
            {values.replacement_numbers_floor}::bigint as replacement_floor
        """
    )


# The pieces of what is pending: one row per envelope, with what is printed on it taken from its first certificate.
# `piece` tells pieces apart while they are numbered. Grouping the texts themselves would take most of a draft.
PIECES = """
select
    pending.pending_row as piece, lot_kind, prefecture, posting_date, wave_key, lot_number, household_key, position,
    employer_key, envelopes_in_household, is_additional, certificate_count, addressee_name, postal_code, address,
    building, packet_weight(certificate_count) as weight_g
from pending join piece_sizes using (lot_kind, household_key, position)
where slot = 1
"""


def _read_pending(connection: duckdb.DuckDBPyConnection, model: str) -> None:
    """Name a model's certificates `pending`, and count those of each envelope: what `PIECES` reads."""
    connection.execute(
        f"""
        create temp view pending as select *, rowid as pending_row from intermediate.{model};
        create temp table piece_sizes as
        select lot_kind, household_key, position, count(*)::integer as certificate_count
        from pending group by lot_kind, household_key, position
        """
    )


def _household_pieces(connection: duckdb.DuckDBPyConnection, _campaign: Campaign, request: PlanRequest) -> None:
    """Envelopes of households from the pending certificates of this kind of plan (rules: envelopes and lots)."""
    model = {"home": "int_plan_pending_home", "release": "int_plan_pending_supplementary"}[request.kind]
    _read_pending(connection, model)
    connection.execute(f"create temp view pieces as {PIECES}")
    if request.kind == "release":
        connection.execute(
            """
            create temp view pulls as
            select certificate_id, envelope_id, lot_id, posting_date, member_key,
                coalesce(reason_code, 'packed_anew') as reason_code, outcome, outcome_reason_code,
                null as order_number
            from intermediate.int_recheck_findings
            semi join (select lot_id from intermediate.int_lots_to_release where is_released) as lots using (lot_id)
            where is_pulled;
            create temp view release_lots as
            select lot_id, posting_date, is_released, withheld_reason_code, null::varchar as sha256_clear
            from intermediate.int_lots_to_release
            """
        )


def _employer_pieces(connection: duckdb.DuckDBPyConnection, campaign: Campaign, request: PlanRequest) -> None:
    """One piece per employer: its bundle of returned packets, or its list (rules: undelivered mail; employer lists)."""
    if request.run_on is None:
        raise PlanError(f"plan {request.plan_id}: a plan for employers needs its day")
    posting = add_business_days(request.run_on, 1)
    capacity = campaign.parameters.lot_size - campaign.parameters.seed_households_per_lot
    if request.kind == "follow_up":
        connection.execute(
            """
            create temp view pending_follow_ups as select * from intermediate.int_follow_ups_pending;
            create temp view employers_served as
            select
                follow_ups.employer_key,
                any_value(follow_ups.prefecture) as prefecture,
                any_value(employers.name) as name,
                any_value(employers.postal_code) as postal_code,
                any_value(employers.address) as address,
                any_value(employers.building) as building,
                count(*) as certificates,
                count(distinct follow_ups.envelope_id) as packets
            from pending_follow_ups as follow_ups
            join intermediate.int_employers_judged as employers using (employer_key)
            where follow_ups.outcome = 'employer_bundle'
            group by follow_ups.employer_key
            """
        )
        kind, weight = "employer", "packets * packet_weight(0) + certificates * (packet_weight(1) - packet_weight(0))"
    else:
        connection.execute(
            """
            create temp view pending_lines as select * from intermediate.int_employer_list_lines_pending;
            create temp view employers_served as
            select
                employer_key, any_value(prefecture) as prefecture, any_value(employer_name) as name,
                any_value(postal_code) as postal_code, any_value(address) as address,
                any_value(building) as building, 0::bigint as certificates, 1 as packets
            from pending_lines
            group by employer_key
            """
        )
        kind, weight = "employer_list", "packet_weight(0)"
    connection.execute(
        f"""
        create temp table pieces as
        select
            row_number() over () as piece,
            '{kind}' as lot_kind, prefecture, date '{posting}' as posting_date, '{posting:%Y-%m}' as wave_key,
            ((row_number() over (partition by prefecture order by postal_code, employer_key) - 1) // {capacity} + 1)
                ::integer as lot_number,
            null::bigint as household_key, null::integer as position, employer_key,
            null::integer as envelopes_in_household, false as is_additional,
            certificates::integer as certificate_count, name as addressee_name, postal_code, address, building,
            round({weight}, 1) as weight_g
        from employers_served
        """
    )


def _rejected_pieces(connection: duckdb.DuckDBPyConnection, _campaign: Campaign, _request: PlanRequest) -> None:
    """Envelopes of home and supplementary lots that can never be posted, as they were frozen (rules: a lot).

    The printer rejected the lot, or a stop order had it destroyed; what had been pulled from it stays pulled. Each
    lot gets the next number of its branch and posting date. Posting date, validity and k/n stay: the release
    re-checks them as it does every planned envelope.
    """
    connection.execute(
        """
        create temp table rejected_lots as
        with known as (
            select lot_kind, prefecture, posting_date, max(regexp_extract(lot_id, '([0-9]+)$', 1)::integer) as highest
            from staging.stg_plans__lots group by all
        )
        select
            lots.lot_id,
            (known.highest + row_number() over (
                partition by lots.lot_kind, lots.prefecture, lots.posting_date order by lots.lot_id
            ))::integer as lot_number
        from intermediate.int_lots as lots
        join known using (lot_kind, prefecture, posting_date)
        where lots.undone_reason_code is not null and lots.needs_release
            and not lots.is_replaced and not lots.is_voided;
        create temp table pieces as
        select
            row_number() over () as piece, lot_kind, prefecture, posting_date, wave_key, lot_number, household_key,
            position, employer_key, envelopes_in_household, is_additional, certificate_count, addressee_name,
            postal_code, address, building, weight_g, envelope_id as replaces_envelope_id, lot_id as replaces_lot_id
        from staging.stg_plans__envelopes join rejected_lots using (lot_id)
        where envelope_id not in (
            select envelope_id from staging.stg_plans__pulls join intermediate.int_plans using (plan_id)
            where not is_voided
        );
        create temp view pending as
        select
            pieces.lot_kind, pieces.prefecture, pieces.posting_date, pieces.lot_number, pieces.household_key,
            pieces.position, certificates.* exclude (plan_id, received_on, certificate_id, envelope_id, household_key)
        from staging.stg_plans__certificates as certificates
        join pieces on pieces.replaces_envelope_id = certificates.envelope_id
        """
    )


def _requested_pieces(connection: duckdb.DuckDBPyConnection, campaign: Campaign, request: PlanRequest) -> None:
    """Certificates on request and rolling ones: an envelope per voluntary household, a bundle per employer.

    The households' packets of a bundle are no pieces of the lot; they get numbers of their own (rules: other routes).
    """
    if request.posting_date is None:
        raise PlanError(f"plan {request.plan_id}: a request plan needs its posting date")
    _read_pending(connection, "int_plan_pending_request")
    connection.execute(
        f"""
        create temp view outcomes as
        select request_id, member_key, kind, outcome, reason_code
        from intermediate.int_requests_judged where not is_decided;
        create temp table household_pieces as
        {PIECES};
        create temp table packets as select * from household_pieces where lot_kind = 'employer';
        create temp table pieces as
        select * from household_pieces where lot_kind <> 'employer'
        union all by name
        select
            -row_number() over () as piece, -- below those of households, which are rows of `pending`
            lot_kind, packets.prefecture, posting_date, wave_key, lot_number, null::bigint as household_key,
            null::integer as position, employer_key, null::integer as envelopes_in_household,
            false as is_additional, sum(certificate_count)::integer as certificate_count,
            any_value(employers.name) as addressee_name, any_value(employers.postal_code) as postal_code,
            any_value(employers.address) as address, any_value(employers.building) as building,
            round(sum(packets.weight_g), 1) as weight_g
        from packets join intermediate.int_employers_judged as employers using (employer_key)
        group by lot_kind, packets.prefecture, posting_date, wave_key, lot_number, employer_key
        """
    )


# What was known of a lot when the order was drafted, and for which stages each effect means something.
_STAGE = """case when lots.posted_count > 0 then 'posted' when lots.stop_effect = 'hold' then 'held'
    when lots.is_released then 'released' else 'not_released' end"""
_STAGES_OF = {
    "hold": ("not_released", "released"),
    "destroy": ("not_released", "released", "held"),
    "resume": ("held",),
}
NO_PIECES = """
    create temp table pieces as
    select 0 as piece, lot_kind, prefecture, posting_date, wave_key, 0 as lot_number, household_key, position,
        employer_key, envelopes_in_household, is_additional, certificate_count, addressee_name, postal_code, address,
        building, weight_g
    from staging.stg_plans__envelopes where false
"""


def _stopped_lots(connection: duckdb.DuckDBPyConnection, _campaign: Campaign, request: PlanRequest) -> None:
    """Lots that lie at the printer and that a stop order is about (contract printer/v1, stop order).

    Raises:
        PlanError: no lot fits, or the order would have no effect on any: says how many there are by stage.
    """
    stop = request.stop
    if stop is None or stop.effect not in _STAGES_OF:
        raise PlanError(f"plan {request.plan_id}: a stop order needs its lots and one of {', '.join(_STAGES_OF)}")
    if not (stop.lot_ids or stop.prefecture or stop.posting_date):
        raise PlanError(f"plan {request.plan_id}: name lots, a branch or a posting date")
    connection.execute(NO_PIECES)
    connection.execute(
        f"""
        create temp table fitting_lots as
        select lots.lot_id, lots.plan_id, lots.plan_kind, lots.envelope_count, {_STAGE} as stage
        from intermediate.int_lots as lots
        where lots.announced_on is not null and not lots.is_voided and not lots.is_replaced
            and lots.undone_reason_code is null
            and (len(?) = 0 or list_contains(?, lots.lot_id))
            and coalesce(lots.prefecture = ?::integer, true) and coalesce(lots.due_posting_date = ?::date, true)
        """,
        [list(stop.lot_ids), list(stop.lot_ids), stop.prefecture, stop.posting_date],
    )
    by_stage = dict(connection.execute("select stage, count(*) from fitting_lots group by all order by all").fetchall())
    known = {row[0] for row in connection.execute("select lot_id from fitting_lots").fetchall()}
    unknown = sorted(set(stop.lot_ids) - known)
    if unknown:
        raise PlanError(
            f"plan {request.plan_id}: {len(unknown)} lots do not lie at the printer, or do not fit the rest of the "
            "form: " + ", ".join(unknown)
        )
    if not set(by_stage) & set(_STAGES_OF[stop.effect]):
        found = ", ".join(f"{count} {stage}" for stage, count in by_stage.items()) or "no lot fits"
        raise PlanError(
            f"plan {request.plan_id}: {stop.effect} would have no effect ({found}). What is posted cannot be called "
            "back; only what is held can be resumed"
        )
    stages = ", ".join(f"'{stage}'" for stage in _STAGES_OF[stop.effect])
    connection.execute(
        f"""
        create temp table stop_lots as
        with releases as (
            select release_lots.lot_id, max(release_lots.plan_id) as plan_id
            from staging.stg_plans__release_lots as release_lots join intermediate.int_plans as plans using (plan_id)
            where release_lots.is_released and plans.is_approved group by release_lots.lot_id
        )
        select fitting_lots.lot_id, '{stop.effect}' as effect, ? as reason_code, fitting_lots.stage,
            case when fitting_lots.stage = 'released' then coalesce(
                releases.plan_id, case when fitting_lots.plan_kind = 'release' then fitting_lots.plan_id end
            ) end as cancelled_plan_id,
            (select 1 + count(distinct plan_id) from staging.stg_plans__stop_lots
                where received_on = date '{request.as_of}') as order_number,
            fitting_lots.envelope_count
        from fitting_lots left join releases using (lot_id)
        where fitting_lots.stage in ({stages})
        """,
        [stop.reason_code],
    )


def _urgent_pulls(connection: duckdb.DuckDBPyConnection, _campaign: Campaign, request: PlanRequest) -> None:
    """Pieces that are out and must not be posted (rules: a wave, to the letter box; contract printer/v1).

    Raises:
        PlanError: other pieces must be stopped now than those that the plan is named after.
    """
    connection.execute(NO_PIECES)
    connection.execute(
        f"""
        create temp table pulls as
        select certificate_id, envelope_id, lot_id, posting_date, member_key, reason_code, outcome, outcome_reason_code,
            (
                select 1 + count(distinct pulls.plan_id)
                from staging.stg_plans__pulls as pulls
                where pulls.order_number is not null and pulls.received_on = date '{request.as_of}'
            ) as order_number
        from intermediate.int_urgent_pulls where not is_listed
        """
    )
    numbers = [row[0] for row in connection.execute("select distinct envelope_id from pulls").fetchall()]
    if digest_of(numbers) != request.pieces:
        raise PlanError(
            f"plan {request.plan_id}: other pieces must be stopped now ({len(numbers)}) than when it was looked; "
            "nothing is frozen. Start the DAG again"
        )


_PENDING: dict[str, Callable[[duckdb.DuckDBPyConnection, Campaign, PlanRequest], None]] = {
    "home": _household_pieces,
    "release": _household_pieces,
    "resend": _rejected_pieces,
    "follow_up": _employer_pieces,
    "employer_list": _employer_pieces,
    "request": _requested_pieces,
    "stop": _stopped_lots,
    "pull": _urgent_pulls,
}
# Lots that can never be posted, and that a plan of each kind takes up again.
_TAKES_UP = {
    "resend": "needs_release",
    "follow_up": "plan_kind = 'follow_up'",
    "employer_list": "plan_kind = 'employer_list'",
    "request": "plan_kind = 'request'",
}


# Branches and months whose small lots carry their sample already: a lot that can never be posted shows none.
_MONTHS_WITH_SAMPLE = """
    create temp table months_with_sample as
    select distinct lots.prefecture, strftime(lots.posting_date, '%Y-%m') as wave_key
    from intermediate.int_lots as lots cross join stamp
    where lots.plan_kind = 'request' and lots.envelope_count < stamp.samples_from and lots.seed_count > 0
        and lots.undone_reason_code is null and not lots.is_voided
"""


def _note_months_with_sample(connection: duckdb.DuckDBPyConnection, request: PlanRequest) -> None:
    """Small lots of the other routes carry one sample a branch and month (rules: envelopes and lots)."""
    connection.execute(
        f"create temp macro may_be_small(envelopes) as {request.kind == 'request'} and envelopes < "
        "(select samples_from from stamp)"
    )
    if request.kind == "request":
        connection.execute(_MONTHS_WITH_SAMPLE)
    else:
        connection.execute("create temp table months_with_sample (prefecture integer, wave_key varchar)")


def _number_pieces(connection: duckdb.DuckDBPyConnection, campaign: Campaign, request: PlanRequest) -> None:
    """Give control numbers in plan order: lots by posting date, branch, kind and number.

    In each lot first the samples, then pieces by postal code, then packets inside its bundles, then the numbers set
    aside for pieces printed again. Only what orders the pieces is sorted here; their texts join when they are written.
    """
    _note_months_with_sample(connection, request)
    connection.execute("create temp table if not exists packets as select * from pieces where false")
    connection.execute(
        f"""
        create temp table lots as
        with counted as (
            select
                lot_kind, prefecture, posting_date, wave_key, lot_number,
                '{campaign.name}-' || case lot_kind when 'home' then 'H' when 'supplementary' then 'S'
                    when 'employer' then 'E' else 'L' end
                    || '-' || lpad(prefecture::varchar, 2, '0') || '-' || strftime(posting_date, '%Y%m%d')
                    || '-' || lpad(lot_number::varchar, 2, '0') as lot_id,
                count(*) as envelope_count, sum(certificate_count)::bigint as certificate_count,
                sum(weight_g) as weight_g, sum(postage(weight_g))::bigint as postage_yen
            from pieces
            group by all
        ),
        sampled as (
            select
                counted.*,
                case
                    when not may_be_small(envelope_count) then seeds
                    when months.wave_key is not null then 0
                    else (row_number() over (
                        partition by prefecture, wave_key, may_be_small(envelope_count)
                        order by posting_date, lot_kind, lot_number
                    ) = 1)::bigint
                end as seed_count
            from counted cross join stamp
            left join months_with_sample as months using (prefecture, wave_key)
        ),
        sized as (
            select
                sampled.*, coalesce(packed.packet_count, 0) as packet_count,
                greatest(replacement_floor, ceil((envelope_count + seeds) * replacement_share))::bigint as spare_count
            from sampled cross join stamp
            left join (
                select lot_kind, prefecture, posting_date, lot_number, count(*) as packet_count
                from packets group by all
            ) as packed using (lot_kind, prefecture, posting_date, lot_number)
        )
        select
            *,
            (select base_sequence from stamp) + 1 + coalesce(sum(
                envelope_count + seed_count + packet_count + spare_count
            ) over (
                order by posting_date, prefecture, lot_kind, lot_number
                rows between unbounded preceding and 1 preceding
            ), 0)::bigint as first_sequence
        from sized;

        create temp table numbering as
        select *, first_sequence + position_in_lot - 1 as sequence
        from (
            select
                pieces.piece, pieces.lot_kind, pieces.prefecture, pieces.posting_date, pieces.lot_number,
                pieces.household_key, pieces.position, lots.lot_id, lots.first_sequence,
                lots.seed_count + row_number() over (
                    partition by lots.first_sequence
                    order by pieces.postal_code, pieces.household_key, pieces.employer_key, pieces.position
                ) as position_in_lot
            from pieces join lots using (lot_kind, prefecture, posting_date, lot_number)
        );

        create temp view numbered as
        select pieces.*, numbering.lot_id, numbering.position_in_lot, numbering.sequence
        from pieces join numbering using (piece);

        create temp table numbered_packets as
        select
            packets.*, lots.lot_id, bundles.position_in_lot, bundles.sequence as bundle_sequence,
            lots.first_sequence + lots.seed_count + lots.envelope_count - 1 + row_number() over (
                partition by lots.lot_id
                order by bundles.position_in_lot, packets.household_key, packets.position
            ) as sequence
        from packets
        join lots using (lot_kind, prefecture, posting_date, lot_number)
        join numbered as bundles using (lot_id, employer_key)
        """
    )


def _note_bundles(connection: duckdb.DuckDBPyConnection, campaign: Campaign, request: PlanRequest) -> None:
    """What the cover letter of each bundle says of old cards, and the packets whose card must come back.

    A bundle sent again says what it said; packets that got new numbers are not named a second time.
    """
    connection.execute(
        """create temp table bundle_notices (
            lot_kind varchar, posting_date date, employer_key bigint, notice varchar, old_card_packets varchar)"""
    )
    if request.kind == "resend":
        connection.execute(
            """
            insert into bundle_notices
            select pieces.lot_kind, pieces.posting_date, pieces.employer_key, before.notice,
                case when before.plan_id like 'follow-up-%' then before.old_card_packets end
            from pieces join staging.stg_plans__envelopes as before
                on before.envelope_id = pieces.replaces_envelope_id
            where pieces.lot_kind = 'employer' and pieces.household_key is null
            """
        )
        return
    leaving = {
        "follow_up": """
            select employer_key, envelope_id as packet from pending_follow_ups
            where outcome = 'employer_bundle' and old_card_duty = 'return_to_employer'""",
        "request": f"""
            select employer_key, {control_number_sql("sequence")} as packet
            from pending
            join numbered_packets using (
                lot_kind, prefecture, posting_date, lot_number, household_key, employer_key, position)
            where old_card_duty = 'return_to_employer'""",
    }.get(request.kind)
    if leaving is None:
        return
    days = connection.execute("select distinct posting_date from numbered where lot_kind = 'employer'").fetchall()
    for (day,) in days:
        connection.execute(
            f"""
            insert into bundle_notices
            select lot_kind, posting_date, employer_key, '{old_card_notice(day, campaign.parameters)}', packets
            from numbered
            left join (
                select employer_key, string_agg(distinct packet, ' ' order by packet) as packets
                from ({leaving}) as leaving
                group by employer_key
            ) as told using (employer_key)
            where lot_kind = 'employer' and household_key is null and posting_date = date '{day}'
            """
        )


def _export(connection: duckdb.DuckDBPyConnection, path: Path, request: PlanRequest) -> dict[str, int | None]:
    """Write every table of a plan; a table that this kind of plan does not have gets no row."""
    number = control_number_sql("sequence")
    has_certificates = request.kind in {"home", "release", "resend", "request"}
    is_resend = request.kind == "resend"
    replaces_lot = "(select any_value(replaces_lot_id) from numbered where numbered.lot_id = lots.lot_id)"
    queries: dict[str, str] = {
        "lots": f"""
            select plan_id, received_on, lot_id, lot_kind, prefecture, posting_date, wave_key, envelope_count,
                certificate_count, seed_count, first_sequence,
                first_sequence + seed_count + envelope_count + packet_count as replacement_first,
                first_sequence + seed_count + envelope_count + packet_count + spare_count - 1 as replacement_last,
                weight_g + seed_count * packet_weight(1) as weight_g,
                postage_yen + seed_count * postage(packet_weight(1)) as postage_yen,
                {replaces_lot if is_resend else "null"} as replaces_lot_id
            from lots cross join stamp order by first_sequence""",
        "envelopes": f"""
            select plan_id, received_on, {number} as envelope_id, sequence, lot_id, lot_kind, position_in_lot,
                household_key, employer_key, position, envelopes_in_household, is_additional, certificate_count,
                posting_date, wave_key, prefecture, addressee_name, postal_code, address, building, weight_g,
                postage(weight_g) as postage_yen,
                {"replaces_envelope_id" if is_resend else "null"} as replaces_envelope_id, null as bundle_id,
                bundle_notices.notice, bundle_notices.old_card_packets
            from numbered cross join stamp left join bundle_notices using (lot_kind, employer_key, posting_date)
            union all by name
            select plan_id, received_on, {number} as envelope_id, sequence, lot_id, lot_kind, position_in_lot,
                household_key, employer_key, position, envelopes_in_household, is_additional, certificate_count,
                posting_date, wave_key, prefecture, addressee_name, postal_code, address, building, 0 as weight_g,
                0 as postage_yen, null as replaces_envelope_id, {control_number_sql("bundle_sequence")} as bundle_id
            from numbered_packets cross join stamp
            order by sequence""",
        "seed_pieces": f"""
            select plan_id, received_on, {number} as envelope_id, sequence, lot_id, position_in_lot
            from (select lots.*, unnest(range(1, seed_count + 1)) as position_in_lot from lots) as seeded
            cross join lateral (select first_sequence + position_in_lot - 1 as sequence) as given
            cross join stamp order by sequence""",
    }
    if has_certificates:
        queries["certificates"] = f"""
            select plan_id, received_on, {number} || '-' || slot as certificate_id, {number} as envelope_id, slot,
                member_key, household_key, route, need, issued_on, valid_until, enrolment, name, name_kana, sex,
                birth_date, qualified_on, supersedes_certificate_id
            from pending
            join (
                select lot_kind, prefecture, posting_date, lot_number, household_key, position, sequence from numbering
                union all
                select lot_kind, prefecture, posting_date, lot_number, household_key, position, sequence
                from numbered_packets
            ) as held using (lot_kind, prefecture, posting_date, lot_number, household_key, position)
            cross join stamp order by sequence, slot"""
    if request.kind in _TAKES_UP:
        queries["replaced_lots"] = f"""
            select lot_id, undone_reason_code as reason_code, stamp.plan_id, stamp.received_on
            from intermediate.int_lots cross join stamp
            where undone_reason_code is not null and {_TAKES_UP[request.kind]} and not is_replaced and not is_voided
            order by lot_id"""
    if request.kind == "stop":
        queries["stop_lots"] = "select * from stop_lots cross join stamp order by lot_id"
    if request.kind == "request":
        queries["request_outcomes"] = "select * from outcomes cross join stamp order by request_id"
    if request.kind == "pull":
        queries["pulls"] = "select * from pulls cross join stamp order by lot_id, envelope_id, member_key"
    if request.kind == "release":
        queries["pulls"] = "select * from pulls cross join stamp order by envelope_id, certificate_id"
        queries["release_lots"] = "select * from release_lots cross join stamp order by lot_id"
    if request.kind == "follow_up":
        queries["follow_ups"] = f"""
            select pending_follow_ups.* exclude (employer_key),
                case when outcome = 'employer_bundle' then {number} end as bundle_id, plan_id, stamp.received_on
            from pending_follow_ups left join numbered using (employer_key)
            cross join stamp order by envelope_id, certificate_id"""
    if request.kind == "employer_list":
        queries["list_lines"] = f"""
            select plan_id, received_on, {number} as list_id, lot_id, employer_key, member_key, name
            from pending_lines join numbered using (employer_key)
            cross join stamp order by sequence, member_key"""
        queries["list_omissions"] = """
            select plan_id, received_on, employer_key, member_key, reason_code
            from intermediate.int_employer_list_targets cross join stamp
            where reason_code is not null order by member_key"""
    for table, columns in PLANS.items():
        if table in queries:
            _copy(connection, queries[table], columns, path / f"{table}.parquet")
        elif table != "plan":
            write_empty(path / f"{table}.parquet", columns)
    if request.kind not in {"stop", "pull"}:
        _export_people_to_guard(connection, path, request)
    return _export_totals(connection, path, request, has_certificates=has_certificates)


def _check_complete(connection: duckdb.DuckDBPyConnection, path: Path, request: PlanRequest) -> None:
    """Every certificate that is pending must be written, and each envelope must hold as many as it says.

    Raises:
        PlanError: with the counts.
    """
    counts = connection.execute(
        f"""
        select
            (select count(*) from pending),
            (select count(*) from '{path}/certificates.parquet'),
            (select coalesce(sum(certificate_count), 0)::bigint from '{path}/envelopes.parquet' where bundle_id is null)
        """
    ).fetchall()[0]
    if len(set(counts)) > 1:
        pending, written, held = counts
        raise PlanError(
            f"plan {request.plan_id}: {pending} certificates are pending, {written} were written and the pieces hold "
            f"{held}; nothing is frozen. The pending models contradict each other: run the build task again, and "
            "report it if it stays"
        )


# Shares of targets that are off, beside the draft of the first plan, for its approvers.
OFF_SHARES: Columns = {
    "prefecture": "INTEGER",
    "drop_as_of": "DATE",
    "accepted_count": "BIGINT",
    "target_count": "BIGINT",
    "share": "DOUBLE",
    "expected_share": "DOUBLE",
    "state": "VARCHAR",
    "is_accepted": "BOOLEAN",
}
# Branches whose register a release does not believe, beside the draft, for its approvers.
DOUBTS: Columns = {
    "prefecture": "INTEGER",
    "envelope_count": "BIGINT",
    "missing_count": "BIGINT",
    "changed_count": "BIGINT",
}


def _export_people_to_guard(connection: duckdb.DuckDBPyConnection, path: Path, request: PlanRequest) -> None:
    """Whom the gate must not find in the plan; beside the draft, never frozen with it.

    The first plan is of the snapshot: who is protected since then is pulled at the re-check, so the snapshot's own
    protection counts for it, and for its lots sent again. Every other plan is judged by the newest register.
    """
    of_snapshot = request.kind in {"home", "resend"}
    members = "staging.stg_register__members" if of_snapshot else "staging.stg_newest_register__members"
    insured = "member_key % 100 = 0"
    guarded = {
        "protected": (
            f"select member_key, case when {insured} then household_key end as household_key"
            f" from {members} where protected",
            {"member_key": "BIGINT", "household_key": "BIGINT"},
        ),
        "voluntary": (
            f"select household_key from {members} where {insured} and enrolment = 'voluntary'",
            {"household_key": "BIGINT"},
        ),
    }
    if request.kind == "release":
        _copy(connection, "select * from intermediate.int_register_doubts", DOUBTS, path / "doubts.parquet")
    if request.kind == "request":
        guarded["months_with_sample"] = (
            "select * from months_with_sample",
            {"prefecture": "INTEGER", "wave_key": "VARCHAR"},
        )
    if request.kind == "home":
        _copy(
            connection,
            "select * from intermediate.int_target_shares where state <> 'usual' order by prefecture",
            OFF_SHARES,
            path / "target_shares.parquet",
        )
        guarded["at_employer"] = (
            "select distinct household_key from intermediate.int_members_evaluated where address_is_employer",
            {"household_key": "BIGINT"},
        )
    for name, (query, columns) in guarded.items():
        _copy(connection, query, columns, path / f"{name}.parquet")


def _export_totals(
    connection: duckdb.DuckDBPyConnection, path: Path, request: PlanRequest, *, has_certificates: bool
) -> dict[str, int | None]:
    members = (
        f"select count(distinct member_key) from '{path}/certificates.parquet'" if has_certificates else "select 0"
    )
    certificates = f"select count(*) from '{path}/certificates.parquet'" if has_certificates else "select 0"
    posting = f"date '{request.posting_date}'" if request.posting_date else "null"
    run_on = f"date '{request.run_on}'" if request.run_on else "null"
    _copy(
        connection,
        f"""
        select plan_id, received_on, '{request.kind}' as plan_kind, {posting} as posting_date, {run_on} as run_on,
            (select newest_register_as_of from intermediate.int_run_context) as register_as_of,
            (select min(first_sequence) from lots) as first_sequence,
            (select max(first_sequence + seed_count + envelope_count + packet_count + spare_count - 1) from lots)
                as last_sequence,
            (select count(*) from numbering) as envelope_count,
            ({certificates}) as certificate_count,
            ({members}) as member_count
        from stamp""",
        PLANS["plan"],
        path / "plan.parquet",
    )
    if has_certificates:
        _check_complete(connection, path, request)
    names = ["first_sequence", "last_sequence", "envelope_count", "certificate_count", "member_count"]
    row = connection.execute(f"select {', '.join(names)} from '{path}/plan.parquet'").fetchone()
    lots = connection.execute("select count(*) from lots").fetchone()
    lines = {
        "follow_up": "pending_follow_ups",
        "employer_list": "pending_lines",
        # A refusal is told to a person too, so it makes a plan; who is held is only looked at again next time.
        "request": "(select member_key from pending union all select member_key from outcomes where outcome <> 'held')",
        "stop": "stop_lots",
        "pull": "(select distinct envelope_id from pulls)",
    }.get(request.kind, "numbering")
    count = connection.execute(f"select count(*) from {lines}").fetchone()
    if request.kind == "stop":
        stages = connection.execute(
            "select stage, count(*), sum(envelope_count)::bigint from fitting_lots group by all order by all"
        ).fetchall()
        found = {
            f"{what}_{stage}": number
            for stage, *numbers in stages
            for what, number in zip(("lots", "pieces"), numbers, strict=True)
        }
    else:
        found = {}
    return {
        **found,
        **dict(zip(names, row or (), strict=True)),
        "lots": lots[0] if lots else 0,
        "row_count": count[0] if count else 0,
    }


def _copy(connection: duckdb.DuckDBPyConnection, query: str, columns: Columns, path: Path) -> None:
    typed = ", ".join(f"{name}::{kind} as {name}" for name, kind in columns.items())
    connection.execute(f"copy (select {typed} from ({query})) to '{path}' (format parquet, compression zstd)")
