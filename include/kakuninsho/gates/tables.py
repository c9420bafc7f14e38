"""Tables that an outbound gate may be given besides a plan's own: without one, its rules are reported as not judged."""

from __future__ import annotations

from kakuninsho.facts.schemas import Columns

# Whom the newest register protects on the plan's day. A row with a household key means the whole household, so it is
# given only where the insured is protected.
PROTECTED: Columns = {"member_key": "BIGINT", "household_key": "BIGINT"}
VOLUNTARY: Columns = {"household_key": "BIGINT"}
# Households whose address equals an employer's after normalisation.
AT_EMPLOYER: Columns = {"household_key": "BIGINT"}
