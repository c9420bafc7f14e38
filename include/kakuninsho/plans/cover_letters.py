"""What the cover letter of an employer's bundle says of old cards (従来の保険証; rules: campaign parameters)."""

from __future__ import annotations

from datetime import date, timedelta

from kakuninsho.campaign.model import Parameters
from kakuninsho.printer.layout import japanese_date


def old_card_notice(posted_on: date, parameters: Parameters) -> str:
    """The sentence on a cover letter posted on a day: what to do with the old card of somebody who leaves."""
    ends, last = parameters.old_cards_end_on, parameters.old_cards_end_on - timedelta(days=1)
    if posted_on < ends:
        return (
            f"{japanese_date(last)}までに資格を喪失される方の従来の保険証は、事業所で回収し返却してください。"
            f"{japanese_date(ends)}以後に喪失される方の従来の保険証は、ご本人が破棄できます。"
        )
    return (
        f"従来の保険証は{japanese_date(ends)}から使用できません。ご本人が破棄できます。"
        f"{japanese_date(last)}までに資格を喪失された方のものは、事業所で回収し返却してください。"
    )
