"""Tables that an outbound gate may be given besides a plan's own: without one, its rules are reported as not judged."""

from __future__ import annotations

from kakuninsho.facts.schemas import Columns

# Whom the newest register protects on the plan's day. A row with a household key means the whole household, so it is
# given only where the insured is protected.
PROTECTED: Columns = {"member_key": "BIGINT", "household_key": "BIGINT"}
VOLUNTARY: Columns = {"household_key": "BIGINT"}
# Households whose address equals an employer's after normalisation.
AT_EMPLOYER: Columns = {"household_key": "BIGINT"}
# Branches and months whose small lots of the other routes carry their one sample already.
MONTHS_WITH_SAMPLE: Columns = {"prefecture": "INTEGER", "wave_key": "VARCHAR"}
# What lies beside a draft, by name of the table.
BESIDE: dict[str, Columns] = {
    "protected": PROTECTED,
    "voluntary": VOLUNTARY,
    "at_employer": AT_EMPLOYER,
    "months_with_sample": MONTHS_WITH_SAMPLE,
}
