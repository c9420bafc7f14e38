{#-
    The n-th birthday, or the n-th anniversary of any day. Of 29 February it is 1 March in a common year (rules:
    validity of a certificate): DuckDB's own addition gives 28 February, so a day that was clipped is moved on by one.
-#}
{% macro nth_birthday(born_on, years) -%}
    (
        (({{ born_on }}) + to_years(({{ years }})::integer))::date
        + (day(({{ born_on }}) + to_years(({{ years }})::integer)) <> day({{ born_on }}))::integer
    )
{%- endmacro %}

{#- The birthday that ends membership, the 75th. `campaign` names the relation that holds the parameters. -#}
{% macro birthday_75(born_on, campaign='campaign') -%}
    {{ nth_birthday(born_on, campaign ~ '.age_of_late_stage_care') }}
{%- endmacro %}

{#-
    The latest birth date whose 75th birthday is on or before a day: `birth_date <= born_by` is the same test as
    `birthday_75 <= day`, and is computed once. 29 February included: 28 February 2025 less 75 years is 28 February
    1950, so nobody born on a 29 February counts before 1 March.
-#}
{% macro reached_75_when_born_by(day, campaign='campaign') -%}
    (({{ day }}) - to_years(({{ campaign }}.age_of_late_stage_care)::integer))::date
{%- endmacro %}

{#-
    Last valid day of a certificate before any cap: the day before the validity year turns over (1 December), five
    years on (rules: validity of a certificate).
-#}
{% macro base_validity(issued_on, campaign='campaign') -%}
    (
        make_date(
            (
                year({{ issued_on }}) + {{ campaign }}.validity_years
                - (
                    month({{ issued_on }}) * 100 + day({{ issued_on }})
                    < {{ campaign }}.validity_turns_over_month * 100 + {{ campaign }}.validity_turns_over_day
                )::integer
            )::integer,
            {{ campaign }}.validity_turns_over_month::integer,
            {{ campaign }}.validity_turns_over_day::integer
        ) - 1
    )
{%- endmacro %}

{#-
    有効期限 of a certificate: the base validity, the day before the member's and the insured's 75th birthday, and for
    a voluntary household the day before the second anniversary of the insured's qualified_on; the earliest counts.
    Pass the insured's own row for the insured person.
-#}
{% macro valid_until(issued_on, birth_date, insured_birth_date, enrolment, insured_qualified_on, campaign='campaign') -%}
    least(
        {{ base_validity(issued_on, campaign) }},
        {{ birthday_75(birth_date, campaign) }} - 1,
        {{ birthday_75(insured_birth_date, campaign) }} - 1,
        case
            when {{ enrolment }} = 'voluntary'
                then {{ nth_birthday(insured_qualified_on, campaign ~ '.voluntary_years') }} - 1
        end
    )
{%- endmacro %}

{#- Last day on which a card with an expired electronic certificate still works: the end of the third month after. -#}
{% macro grace_ends_on(certificate_expires_on) -%}
    last_day((date_trunc('month', {{ certificate_expires_on }}) + to_months(3))::date)
{%- endmacro %}

{#-
    Last day on which nobody with this expiry is served yet: from the next run on the rolling route takes them, before
    their grace is over (rules: campaign parameters, rolling_months_after_expiry).
-#}
{% macro rolling_waits_until(certificate_expires_on, campaign='campaign') -%}
    last_day(
        (
            date_trunc('month', {{ certificate_expires_on }})
            + to_months(({{ campaign }}.rolling_months_after_expiry)::integer)
        )::date
    )
{%- endmacro %}

{#-
    Why a member cannot use the card on a day, or null when it is usable (rules: can the member use マイナ保険証).
    A member without a card row has nulls in every column, which is no_card.
-#}
{% macro card_need(day, cards='cards') -%}
    case
        when not coalesce({{ cards }}.has_card, false) then 'no_card'
        when not {{ cards }}.number_filed then 'number_not_filed'
        when not {{ cards }}.registered then 'not_registered'
        when {{ cards }}.registration_cancelled_on <= {{ day }} then 'registration_cancelled'
        when {{ cards }}.certificate_expires_on >= {{ day }} then null
        when {{ grace_ends_on(cards ~ '.certificate_expires_on') }} >= {{ day }} then 'certificate_in_grace'
        else 'certificate_expired'
    end
{%- endmacro %}
