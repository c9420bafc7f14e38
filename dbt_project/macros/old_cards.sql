{#-
    What a person who leaves does with the old card (従来の保険証), by the first day without membership: null while
    membership goes on. Who leaves before the day on which old cards end gives it back to the employer; who leaves on
    that day or later may throw it away (rules: campaign parameters, old card). `campaign` names the relation that
    holds the parameters.
-#}
{% macro old_card_duty(lost_on, campaign='campaign') -%}
    case
        when {{ lost_on }} is null then null
        when {{ lost_on }} < {{ campaign }}.old_cards_end_on then 'return_to_employer'
        else 'may_discard'
    end
{%- endmacro %}
