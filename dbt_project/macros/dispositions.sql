{#-
    What becomes of each row (rules, the table of that name): its lines by number, and the reason code of each.
    8.5 is line 8a, 11 and 12 are lines 10a and 10b, 13 is line 11; 14 is the campaign's switch that makes an address shared with an employer a hold; a target has no line.
-#}
{% macro reason_of_line(line) -%}
    case {{ line }}
        when 1 then 'membership_lost'
        when 2 then 'reached_75'
        when 3 then 'new_enrollee'
        when 4 then 'address_protected'
        when 5 then 'between_routes'
        when 6 then 'household_without_insured'
        when 7 then 'card_record_rejected'
        when 8 then 'card_usable'
        when 8.5 then 'already_has_certificate'
        when 9 then 'address_overseas'
        when 10 then 'address_missing'
        when 11 then 'damaged_text'
        when 12 then 'kana_missing'
        when 13 then 'unprintable_text'
        when 14 then 'address_is_employer'
    end
{%- endmacro %}

{#- excluded, held or target, of a line. -#}
{% macro disposition_of_line(line) -%}
    case
        when {{ line }} is null then 'target'
        when {{ line }} in (1, 2, 3, 8, 8.5) then 'excluded'
        else 'held'
    end
{%- endmacro %}

{#- Number of the first line whose condition holds, or null. `after` starts behind a line, as a release does. -#}
{% macro first_line(conditions, after=none) -%}
    case
        {% for line, condition in conditions -%}
        when {% if after %}{{ after }} < {{ line }} and {% endif %}{{ condition }} then {{ line }}
        {% endfor -%}
    end
{%- endmacro %}

{#- Whether a certificate that another system issued lives on a day (contract register/v1, issued_certificates). -#}
{% macro lives_on(day, certificates) -%}
    (
        {{ certificates }}.issued_on <= {{ day }}
        and {{ certificates }}.valid_until >= {{ day }}
        and coalesce({{ certificates }}.ended_on > {{ day }}, true)
    )
{%- endmacro %}
