"""The sentence about old cards follows the campaign's days, not a year."""

from __future__ import annotations

from datetime import date, timedelta

from kakuninsho.campaign import load_campaign
from kakuninsho.plans.cover_letters import old_card_notice
from kakuninsho.printer.charset import is_printable, printed_width
from kakuninsho.printer.layout import record_fields

PARAMETERS = load_campaign().parameters
LAST = PARAMETERS.old_cards_end_on - timedelta(days=1)


def test_until_old_cards_end_the_letter_says_who_returns_and_who_may_discard() -> None:
    for day in (date(2025, 8, 4), LAST):
        assert old_card_notice(day, PARAMETERS) == (
            "令和7年12月1日までに資格を喪失される方の従来の保険証は、事業所で回収し返却してください。"
            "令和7年12月2日以後に喪失される方の従来の保険証は、ご本人が破棄できます。"
        )


def test_from_the_day_on_which_old_cards_end_the_letter_says_that_they_ended() -> None:
    told = old_card_notice(PARAMETERS.old_cards_end_on, PARAMETERS)
    assert told.startswith("従来の保険証は令和7年12月2日から使用できません。")
    assert "令和7年12月1日までに資格を喪失された方のものは" in told


def test_another_campaign_s_letter_has_its_own_days() -> None:
    later = PARAMETERS.model_copy(update={"old_cards_end_on": date(2027, 3, 1)})
    told = old_card_notice(date(2026, 8, 4), later)
    assert "令和9年2月28日までに" in told
    assert "令和9年3月1日以後に" in told


def test_both_sentences_fit_their_field_and_can_be_printed() -> None:
    width = next(field["width"] for field in record_fields("B") if field["name"] == "notice")
    for day in (LAST, PARAMETERS.old_cards_end_on):
        told = old_card_notice(day, PARAMETERS)
        assert is_printable(told)
        assert printed_width(told) <= width
