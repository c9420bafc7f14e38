{#- Control number of a piece: 9 digits of a running sequence and 2 check digits (ISO 7064 MOD 97-10). -#}
{% macro control_number(sequence) -%}
    (
        lpad(({{ sequence }})::varchar, 9, '0')
        || lpad((98 - ({{ sequence }})::bigint * 100 % 97)::varchar, 2, '0')
    )
{%- endmacro %}

{#- Certificate id: its envelope's control number and its slot. -#}
{% macro certificate_id(envelope_id, slot) -%}
    (({{ envelope_id }}) || '-' || ({{ slot }})::varchar)
{%- endmacro %}
