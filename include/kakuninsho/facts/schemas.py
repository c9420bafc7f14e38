"""The columns of every fact: the one place where a table under `<data>/facts/` is described.

A fact folder is `<data>/facts/<kind>/<name>/`; each of its tables is one Parquet file named after the table.
Packed keys (macros of the same names turn them back into text in SQL):

    employer_key  = prefecture * 110_000_000 + symbol code     (7 digits: the number; 8 digits: 10_000_000 + number)
    household_key = employer_key * 10_000_000 + number
    member_key    = household_key * 100 + suffix
"""

from __future__ import annotations

Columns = dict[str, str]

REGISTER: dict[str, Columns] = {
    # `as_of` is constant within a drop; it lets a delta be laid over the drop before it.
    "members": {
        "as_of": "DATE",
        "member_key": "BIGINT",
        "household_key": "BIGINT",
        "enrolment": "VARCHAR",  # employee, voluntary
        "name": "VARCHAR",
        "name_kana": "VARCHAR",
        "sex": "VARCHAR",
        "birth_date": "DATE",
        "qualified_on": "DATE",
        "decided_on": "DATE",
        "lost_on": "DATE",
        "protected": "BOOLEAN",
    },
    "addresses": {
        "as_of": "DATE",
        "household_key": "BIGINT",
        "postal_code": "VARCHAR",
        "address": "VARCHAR",
        "building": "VARCHAR",
        "country": "VARCHAR",
        "updated_on": "DATE",
    },
    "employers": {
        "as_of": "DATE",
        "employer_key": "BIGINT",
        "name": "VARCHAR",
        "postal_code": "VARCHAR",
        "address": "VARCHAR",
        "building": "VARCHAR",
        "closed_on": "DATE",
    },
    "my_number_cards": {
        "as_of": "DATE",
        "member_key": "BIGINT",
        "has_card": "BOOLEAN",
        "number_filed": "BOOLEAN",
        "registered": "BOOLEAN",
        "certificate_expires_on": "DATE",
        "registration_cancelled_on": "DATE",
    },
    # Certificates that another system issued; without a row where the drop leaves the table out.
    "issued_certificates": {
        "as_of": "DATE",
        "member_key": "BIGINT",
        "issued_on": "DATE",
        "valid_until": "DATE",
        "ended_on": "DATE",
    },
    "rejects": {
        "as_of": "DATE",
        "file": "VARCHAR",  # members, addresses, employers, my_number_cards, issued_certificates
        "row_number": "BIGINT",  # 1 = first row after the header
        "column_name": "VARCHAR",
        "reason_code": "VARCHAR",
        # Packed key of the row's own table where its key columns can be read; never leaves the facts.
        "row_key": "BIGINT",
        # Of members: true where any row of the key says true, false, or null where it cannot be read.
        "protected_readable": "BOOLEAN",
    },
}

_FEED: Columns = {"source_file": "VARCHAR", "row_number": "BIGINT", "received_on": "DATE"}

FEEDS: dict[str, dict[str, Columns]] = {
    "issue_requests": {
        "rows": {
            "request_id": "VARCHAR",
            "member_key": "BIGINT",
            "requested_on": "DATE",
            "kind": "VARCHAR",  # new_enrollee, care_needed, lost_or_damaged, card_lost_or_renewing, card_returned
            **_FEED,
        },
    },
    "certificate_returns": {"rows": {"certificate_id": "VARCHAR", "returned_on": "DATE", **_FEED}},
    "decisions": {
        "rows": {
            "member_key": "BIGINT",
            "decided_on": "DATE",
            "decision": "VARCHAR",  # release, exclude, correct_address, resume (a stopped branch) …
            "decided_by": "VARCHAR",
            "reason_code": "VARCHAR",  # of exclude, incident_closed and accept_share
            "drop_as_of": "DATE",  # of accept_share: the drop that was looked at
            "accepted_share": "DOUBLE",  # of accept_share: the share that was looked at
            **_FEED,
        },
    },
    "usage_counts": {
        "rows": {
            "month": "VARCHAR",
            "prefecture_code": "VARCHAR",
            "uses": "BIGINT",
            "verifications": "BIGINT",
            **_FEED,
        },
    },
    "acknowledgements": {
        "rows": {
            "file_name": "VARCHAR",  # the file that is answered
            "lot_id": "VARCHAR",  # null for pull lists and orders
            "result": "VARCHAR",  # accepted, rejected
            "reason_code": "VARCHAR",
            "envelope_count": "BIGINT",  # samples (見本) included, as read by the printer; null for orders
            "certificate_count": "BIGINT",
            "acknowledged_on": "DATE",
            **_FEED,
        },
    },
    "piece_reports": {
        "rows": {
            "lot_id": "VARCHAR",
            "envelope_id": "VARCHAR",
            "event_type": "VARCHAR",  # posted, pulled, spoiled
            "occurred_on": "DATE",
            "tracking_number": "VARCHAR",  # posted only
            "replacement_id": "VARCHAR",  # spoiled only: the control number of the piece printed again
            **_FEED,
        },
    },
    "return_reports": {
        "rows": {
            "envelope_id": "VARCHAR",
            "tracking_number": "VARCHAR",
            "returned_on": "DATE",  # the day the return was received
            "reason_code": "VARCHAR",  # R01 … R06, R09
            **_FEED,
        },
    },
}
for _tables in FEEDS.values():
    _tables["rejects"] = {
        "column_name": "VARCHAR",
        "reason_code": "VARCHAR",
        "row_key": "VARCHAR",  # control number or certificate that the row speaks of, where it can be read
        **_FEED,
    }

_PLAN: Columns = {"plan_id": "VARCHAR", "received_on": "DATE"}

PLANS: dict[str, Columns] = {
    # One row.
    "plan": {
        **_PLAN,
        "plan_kind": "VARCHAR",  # home, release, resend, employer_list, follow_up, request, stop, pull
        "posting_date": "DATE",  # release and request only
        "run_on": "DATE",  # follow_up, request and resend only
        "register_as_of": "DATE",  # newest register that it was made from
        "first_sequence": "BIGINT",  # control numbers given, seeds and replacements included; null when none
        "last_sequence": "BIGINT",
        "envelope_count": "BIGINT",  # control totals at freezing, seeds apart
        "certificate_count": "BIGINT",
        "member_count": "BIGINT",  # distinct people with a certificate in this plan
    },
    "lots": {
        **_PLAN,
        "lot_id": "VARCHAR",
        "lot_kind": "VARCHAR",  # home, supplementary, employer, employer_list
        "prefecture": "INTEGER",
        "posting_date": "DATE",
        "wave_key": "VARCHAR",
        "envelope_count": "BIGINT",  # without seeds
        "certificate_count": "BIGINT",  # without seeds
        "seed_count": "BIGINT",
        "first_sequence": "BIGINT",
        "replacement_first": "BIGINT",  # sequence numbers kept for pieces printed again
        "replacement_last": "BIGINT",
        "weight_g": "DOUBLE",  # seeds included, as posted
        "postage_yen": "BIGINT",
        "replaces_lot_id": "VARCHAR",  # a lot that the printer rejected
    },
    # A piece: a household's envelope (home, supplementary, request), an employer's bundle or list.
    "envelopes": {
        **_PLAN,
        "envelope_id": "VARCHAR",  # control number: 9 digits of sequence and 2 check digits
        "sequence": "BIGINT",
        "lot_id": "VARCHAR",
        "lot_kind": "VARCHAR",
        "position_in_lot": "BIGINT",  # seeds come first: 1, 2; then pieces by postal code
        "household_key": "BIGINT",  # null for bundles and lists
        "employer_key": "BIGINT",  # null for voluntary households
        "position": "INTEGER",  # k of "k/n"
        "envelopes_in_household": "INTEGER",  # n of "k/n"
        "is_additional": "BOOLEAN",  # 追送
        "certificate_count": "INTEGER",
        "posting_date": "DATE",
        "wave_key": "VARCHAR",
        "prefecture": "INTEGER",
        "addressee_name": "VARCHAR",
        "postal_code": "VARCHAR",
        "address": "VARCHAR",
        "building": "VARCHAR",
        "weight_g": "DOUBLE",
        "postage_yen": "INTEGER",
        "replaces_envelope_id": "VARCHAR",  # of a rejected lot sent again
        # Of a packet that lies in an employer's bundle: the bundle's control number. A packet is no piece of the lot:
        # it has its own number, the position of its bundle, and no weight or postage.
        "bundle_id": "VARCHAR",
        # Of a bundle: the sentence about old cards (従来の保険証) on its cover letter, and the packets in it with
        # somebody who is known to leave before old cards end, as control numbers with a blank between; null when
        # there is none.
        "notice": "VARCHAR",
        "old_card_packets": "VARCHAR",
    },
    "certificates": {
        **_PLAN,
        "certificate_id": "VARCHAR",  # envelope_id || '-' || slot
        "envelope_id": "VARCHAR",
        "slot": "INTEGER",  # 1 .. certificates_per_envelope
        "member_key": "BIGINT",
        "household_key": "BIGINT",
        "route": "VARCHAR",  # home, request, rolling, decided
        "need": "VARCHAR",
        "issued_on": "DATE",
        "valid_until": "DATE",
        "enrolment": "VARCHAR",
        "name": "VARCHAR",  # printed values, substitutions done
        "name_kana": "VARCHAR",
        "sex": "VARCHAR",
        "birth_date": "DATE",
        "qualified_on": "DATE",
        "supersedes_certificate_id": "VARCHAR",
    },
    "seed_pieces": {
        **_PLAN,
        "envelope_id": "VARCHAR",
        "sequence": "BIGINT",
        "lot_id": "VARCHAR",
        "position_in_lot": "BIGINT",
    },
    # One row per certificate of a pulled envelope; of a bundle or list that is pulled urgently, per person in it.
    "pulls": {
        **_PLAN,
        "certificate_id": "VARCHAR",
        "envelope_id": "VARCHAR",
        "lot_id": "VARCHAR",
        "posting_date": "DATE",
        "member_key": "BIGINT",
        # row_missing, membership_lost, reached_75, address_protected, validity_over, already_has_certificate,
        # by_person, details_changed; packed_anew for a member without a finding whose envelope is pulled
        "reason_code": "VARCHAR",
        "outcome": "VARCHAR",  # held, closed, planned_again
        "outcome_reason_code": "VARCHAR",  # of held: why
        "order_number": "INTEGER",  # of an urgent pull list: among those of its day
    },
    # One row per lot of the posting date: what the release covers, and what it leaves out and why.
    "release_lots": {
        **_PLAN,
        "lot_id": "VARCHAR",
        "posting_date": "DATE",
        "is_released": "BOOLEAN",
        # lot_rejected, lot_destroyed, not_acknowledged, lot_stopped, branch_stopped, register_doubted
        "withheld_reason_code": "VARCHAR",
        "sha256_clear": "VARCHAR",
    },
    # One row per lot of a stop order, with what was known of the lot when it was drafted.
    "stop_lots": {
        **_PLAN,
        "lot_id": "VARCHAR",
        "effect": "VARCHAR",  # hold, destroy, resume
        "reason_code": "VARCHAR",
        "stage": "VARCHAR",  # not_released, released, held
        "cancelled_plan_id": "VARCHAR",  # the plan whose release a hold or a destruction ends
        "order_number": "INTEGER",  # among the stop orders of the day
        "envelope_count": "BIGINT",
    },
    # One row per lot whose pieces this plan takes up again, because they can never be posted.
    "replaced_lots": {**_PLAN, "lot_id": "VARCHAR", "reason_code": "VARCHAR"},  # lot_rejected, lot_destroyed
    # One row per certificate of a returned envelope.
    "follow_ups": {
        **_PLAN,
        "run_on": "DATE",
        "envelope_id": "VARCHAR",  # the returned piece
        "certificate_id": "VARCHAR",
        "member_key": "BIGINT",
        "envelope_outcome": "VARCHAR",  # employer_bundle, branch_desk, held, closed
        "outcome": "VARCHAR",  # of the certificate
        "reason_code": "VARCHAR",
        "bundle_id": "VARCHAR",  # control number of the bundle
    },
    # One row per request that the run judged. What it issued or refused stays so; what it held is judged again.
    "request_outcomes": {
        **_PLAN,
        "request_id": "VARCHAR",
        "member_key": "BIGINT",
        "kind": "VARCHAR",
        "outcome": "VARCHAR",  # issue, refused, held
        "reason_code": "VARCHAR",
    },
    "list_lines": {
        **_PLAN,
        "list_id": "VARCHAR",  # control number of the employer's list
        "lot_id": "VARCHAR",
        "employer_key": "BIGINT",
        "member_key": "BIGINT",
        "name": "VARCHAR",
    },
    # One row per target of the day who is on no employer's list, and why: decided once, with the list.
    "list_omissions": {
        **_PLAN,
        "employer_key": "BIGINT",  # by the household's own symbol, also where no such employer has a row
        "member_key": "BIGINT",
        "reason_code": "VARCHAR",
    },
}

APPROVALS: dict[str, Columns] = {
    "approvals": {
        "plan_id": "VARCHAR",  # name of what was asked about: a plan, a decision, a deletion
        "subject_sha256": "VARCHAR",  # its exact content: lot files and pull list of a plan
        "decision": "VARCHAR",  # approved, rejected
        "decided_by": "VARCHAR",
        "received_on": "DATE",
    },
}

TRANSFERS: dict[str, Columns] = {
    # One row per file and step.
    "transfers": {
        "plan_id": "VARCHAR",
        "lot_id": "VARCHAR",  # null for pull lists and orders
        "file_kind": "VARCHAR",  # lot, pull_list, urgent_pull_list, release_order, stop_order
        "file_name": "VARCHAR",
        "step": "VARCHAR",  # sealed, uploaded, announced; stopped: a row per lot of a stop order that was announced
        "row_count": "BIGINT",
        "envelope_count": "BIGINT",  # seeds included
        "certificate_count": "BIGINT",
        "byte_count": "BIGINT",
        "sha256_clear": "VARCHAR",
        "sha256_sealed": "VARCHAR",
        "received_on": "DATE",
    },
}

REFUSALS: dict[str, Columns] = {
    # One row per answer of the printer that was not taken in, and reason.
    "refusals": {
        "file_name": "VARCHAR",
        "reason": "VARCHAR",  # words for a person; no value of a row
        "received_on": "DATE",
    },
}

NOTHING_TO_DO: dict[str, Columns] = {
    # One row per run that looked and found nothing to do, under the name that its plan would have had.
    "nothing_to_do": {
        "plan_id": "VARCHAR",
        "plan_kind": "VARCHAR",
        "looked_at": "VARCHAR",  # what it looked at, by name
        "received_on": "DATE",
    },
}

_PAYLOAD: Columns = {"kind": "VARCHAR", "name": "VARCHAR", "sha256": "VARCHAR", "received_on": "DATE"}

DELETIONS: dict[str, Columns] = {
    # One row per payload file that retention has deleted: what it was, and the hash that its fact.json still has.
    "deletions": {"file": "VARCHAR", **_PAYLOAD},
}

ADOPTIONS: dict[str, Columns] = {
    # One row per fact that landed before facts were chained, with the hash of its fact.json on the day of adoption.
    "adoptions": _PAYLOAD,
}

# Every kind of fact, with its tables. Feeds are kinds of their own, below feeds/.
KINDS: dict[str, dict[str, Columns]] = {
    "register": REGISTER,
    **{f"feeds/{feed}": tables for feed, tables in FEEDS.items()},
    "plans": PLANS,
    "approvals": APPROVALS,
    "transfers": TRANSFERS,
    "refusals": REFUSALS,
    "nothing_to_do": NOTHING_TO_DO,
    "deletions": DELETIONS,
    "adoptions": ADOPTIONS,
}

# What dbt reads besides facts: the day, the drops that count on it, and the campaign. Rewritten before each run.
CONTEXT: dict[str, Columns] = {
    "context": {
        "as_of": "DATE",  # facts received later do not exist yet
        "run_kind": "VARCHAR",  # home, release, resend, employer_list, follow_up, request, stop, pull, publish
        "posting_date": "DATE",  # of a release or a request run
        "run_on": "DATE",  # of a follow-up, list or request run
        "newest_register_as_of": "DATE",
    },
    # One row, one column per parameter of campaign.yaml that is a date, number or switch.
    "campaign": {},
    "posting_dates": {
        "prefecture": "INTEGER",
        "posting_date": "DATE",
        "ordinal": "INTEGER",  # 0-based within the branch's window
        "posting_date_count": "INTEGER",
        "wave_key": "VARCHAR",
    },
    "dispatch_windows": {
        "prefecture_code": "VARCHAR",
        "insurer_number": "VARCHAR",
        "opens_on": "DATE",
        "closes_on": "DATE",
        "posting_weekdays": "VARCHAR",
        "source": "VARCHAR",
        "note": "VARCHAR",
    },
    "follow_up_runs": {"run_on": "DATE", "posting_on": "DATE"},
    "weeks": {  # Monday to Sunday, from the snapshot's to that of the last day of service
        "week_start": "DATE",
        "working_days": "INTEGER",  # business days of the week, not after the last day of service
        "working_days_to_deliver": "INTEGER",  # of them those from which a letter counts as delivered in time
    },
    "registers": {  # landed drops with received_on <= as_of, with the totals of their manifests
        "as_of": "DATE",
        "kind": "VARCHAR",
        "file": "VARCHAR",
        "manifest_rows": "BIGINT",
        "is_campaign_drop": "BOOLEAN",
        "warning_count": "BIGINT",  # what the gates said of the drop
    },
}
