{#-
    Packed keys and their text. A key is one BIGINT, so that joins compare numbers:

        employer_key  = prefecture * 110_000_000 + symbol code  (7 digits: the number; 8 digits: 10_000_000 + it)
        household_key = employer_key * 10_000_000 + number
        member_key    = household_key * 100 + suffix

    Text (保険者番号, 記号, 番号, 枝番) returns where people read it: in marts and in files.
-#}

{#- Employer key of an insurer number's prefecture (integer) and a symbol (text of 7 or 8 digits). -#}
{% macro employer_key(prefecture, symbol) -%}
    (
        ({{ prefecture }})::bigint * 110000000
        + ({{ symbol }})::bigint
        + case when length({{ symbol }}) = 8 then 10000000 else 0 end
    )
{%- endmacro %}

{#- Household key of an employer key and a number (text or integer). -#}
{% macro household_key(employer_key, number) -%}
    (({{ employer_key }})::bigint * 10000000 + ({{ number }})::bigint)
{%- endmacro %}

{#- Member key of a household key and a suffix (text or integer). -#}
{% macro member_key(household_key, suffix) -%}
    (({{ household_key }})::bigint * 100 + ({{ suffix }})::bigint)
{%- endmacro %}

{#- Household key of a member key. -#}
{% macro household_of_member(member_key) -%}
    (({{ member_key }}) // 100)
{%- endmacro %}

{#- Employer key of a household key: branch and symbol, for a voluntary household too. -#}
{% macro employer_of_household(household_key) -%}
    (({{ household_key }}) // 10000000)
{%- endmacro %}

{#- Employer key of a member key. -#}
{% macro employer_of_member(member_key) -%}
    (({{ member_key }}) // 1000000000)
{%- endmacro %}

{#- Member key of a household's insured person (suffix 00). -#}
{% macro insured_of_household(household_key) -%}
    (({{ household_key }})::bigint * 100)
{%- endmacro %}

{#- Prefecture (1 to 47) of a packed key; `of` says which: employer, household or member. -#}
{% macro prefecture_of(key, of='household') -%}
    {%- set unit = {
        'employer': '110000000',
        'household': '1100000000000000',
        'member': '110000000000000000',
    }[of] -%}
    (({{ key }}) // {{ unit }})::integer
{%- endmacro %}

{#- Suffix (0 = insured, 1.. = dependents) of a member key. -#}
{% macro suffix_of(member_key) -%}
    (({{ member_key }}) % 100)::integer
{%- endmacro %}

{#-
    保険者番号 of a prefecture: 01, prefecture, 001 and the check digit. The digits of 01pp001 are weighted 2, 1, 2, …
    from the right and the digits of products added: 3 + 2 * (tens of pp) + (ones of pp).
-#}
{% macro insurer_number(prefecture) -%}
    (
        '01' || lpad(({{ prefecture }})::varchar, 2, '0') || '001'
        || ((10 - (3 + 2 * (({{ prefecture }}) // 10) + ({{ prefecture }}) % 10) % 10) % 10)::varchar
    )
{%- endmacro %}

{#- 記号 of an employer key: 7 or 8 digits. -#}
{% macro symbol_text(employer_key) -%}
    (
        case
            when ({{ employer_key }}) % 110000000 < 10000000
                then lpad((({{ employer_key }}) % 110000000)::varchar, 7, '0')
            else lpad((({{ employer_key }}) % 110000000 - 10000000)::varchar, 8, '0')
        end
    )
{%- endmacro %}

{#- 番号 of a household key: 1 to 7 digits without a leading zero. -#}
{% macro number_text(household_key) -%}
    (({{ household_key }}) % 10000000)::varchar
{%- endmacro %}

{#- 枝番 of a member key: 2 digits. -#}
{% macro suffix_text(member_key) -%}
    lpad((({{ member_key }}) % 100)::varchar, 2, '0')
{%- endmacro %}
