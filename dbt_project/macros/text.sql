{#-
    Text that is printed and compared (rules: what becomes of each row, line 10; text that can be printed). The
    characters themselves are in characters.sql, which is generated. A search through a character class costs a tenth
    of a translation, so translations run only on text that has something to translate.
-#}

{#- Whether text is null, empty, or made of Unicode spaces only. -#}
{% macro is_blank(content) -%}
    coalesce(
        regexp_full_match(
            {{ content }},
            '[\s\x0B\x{85}\p{Z}]*'
        ),
        true
    )
{%- endmacro %}

{#- Text as it is printed: the substitutions agreed with the printer, and half-width kana in full width. -#}
{% macro substituted(content) -%}
    case
        when regexp_matches({{ content }}, '[{{ substituted_from() }}{{ half_width_kana() }}]')
            then translate({{ wide_kana(content) }}, '{{ substituted_from() }}', '{{ substituted_to() }}')
        else {{ content }}
    end
{%- endmacro %}

{#- A building as it is printed: a word for nothing is no building. -#}
{% macro printed_building(building) -%}
    case when not {{ is_word_for_nothing(building) }} then {{ substituted(building) }} end
{%- endmacro %}

{#- Whether a whole text is a word for nothing (rules: damaged text), without case, blanks and width. -#}
{% macro is_word_for_nothing(content) -%}
    coalesce(
        length({{ content }}) <= 20
        and lower(
            translate(
                regexp_replace({{ content }}, '[\s\x0B\x{85}\p{Z}]', '', 'g'),
                'ＮＵＬＡＥＦｎｕｌａｅｆＲｒＯｏ＼（）／＃！－', 'NULAEFnulaefRrOo\()/#!-'
            )
        ) in (
            'null', '\n', '(null)', 'none', 'nan', 'n/a', '#n/a', '#ref!', '不明', '住所不明', '氏名不明', '該当なし',
            'なし', '-'
        ),
        false
    )
{%- endmacro %}

{#- Whether a text lost characters on its way: 〓, U+FFFD, □, ■ or a character reference. -#}
{% macro is_damaged(content) -%}
    coalesce(
        regexp_matches({{ content }}, '[〓\x{FFFD}□■]|&(#[0-9]+|#[xX][0-9A-Fa-f]+|[A-Za-z][A-Za-z0-9]*);'),
        false
    )
{%- endmacro %}

{#- The same of a name or kana, where also ? and a ・ at the beginning are marks, and a word for nothing is no name. -#}
{% macro is_damaged_name(content) -%}
    (
        {{ is_damaged(content) }}
        or coalesce(regexp_matches({{ content }}, '[?？]|^[・･]'), false)
        or {{ is_word_for_nothing(content) }}
    )
{%- endmacro %}

{#-
    Whether text, once substituted, can be printed: every character comes back unchanged from CP932, none is a control
    or private-use character. Null (no text) is printable.
-#}
{% macro is_printable(content) -%}
    coalesce(not regexp_matches({{ content }}, '[^{{ substituted_from() }}{{ printable_class() }}]'), true)
{%- endmacro %}

{#- Columns that printable text takes: full-width 2, half-width 1. Counts characters outside CP932 as wide. -#}
{% macro printed_width(content) -%}
    (2 * length({{ content }}) - length(regexp_replace({{ content }}, '[^{{ narrow_class() }}]', '', 'g')))
{%- endmacro %}

{#- Whether text, with kana in full width, is at most so many columns wide; counts characters first. -#}
{% macro fits_width(content, columns) -%}
    coalesce(
        case
            when 2 * length({{ content }}) <= {{ columns }} then true
            else {{ printed_width(wide_kana(content)) }} <= {{ columns }}
        end,
        true
    )
{%- endmacro %}

{#- Whether text can be printed within so many columns. -#}
{% macro fits_print(content, columns) -%}
    ({{ is_printable(content) }} and {{ fits_width(content, columns) }})
{%- endmacro %}

{#-
    Whether each of several texts can be printed within its columns; takes pairs of text and columns. The class of
    printable characters is so large that a query pays for each place where it stands: all texts are searched at once.
-#}
{% macro all_fit_print(texts) -%}
    (
        {{ is_printable("concat_ws(' ', " ~ texts | map(attribute=0) | join(', ') ~ ")") }}
        {%- for content, columns in texts %}
        and {{ fits_width(content, columns) }}
        {%- endfor %}
    )
{%- endmacro %}

{#- Text whose half-width kana are full-width, with their voiced marks joined (ｶﾞ becomes ガ). Nothing else changes. -#}
{% macro wide_kana(content) -%}
    case
        when not regexp_matches({{ content }}, '[{{ half_width_kana() }}]') then {{ content }}
        when regexp_matches({{ content }}, '[ﾞﾟ]')
            then {{ joined_kana(content) }}
        else translate({{ content }}, '{{ half_width_kana() }}', '{{ full_width_kana() }}')
    end
{%- endmacro %}

{#-
    Text with kana and digits in one width and the agreed substitutions made: half-width kana become full-width (ｶﾞ
    becomes ガ), full-width digits become ASCII. For comparison only, never for print. No Unicode normalisation: it would
    make one of two characters of CP932 (福 U+FA1B and 福 U+798F, rules: text that can be printed).
-#}
{% macro one_width(content) -%}
    case
        when regexp_matches({{ content }}, '[{{ other_width_from() }}{{ substituted_from() }}]')
            then translate(
                {{ wide_kana(content) }},
                '０１２３４５６７８９{{ substituted_from() }}', '0123456789{{ substituted_to() }}'
            )
        else {{ content }}
    end
{%- endmacro %}

{#- Whether two texts differ in more than the width of kana and digits. -#}
{% macro text_differs(one, other) -%}
    case
        when {{ one }} is not distinct from {{ other }} then false
        else {{ one_width(one) }} is distinct from {{ one_width(other) }}
    end
{%- endmacro %}

{#- Whether two addresses differ in more than width, blanks and the form of a hyphen (rules: a wave and its releases). -#}
{% macro address_differs(one, other) -%}
    case
        when {{ one }} is not distinct from {{ other }} then false
        else {{ address_without_form(one) }} is distinct from {{ address_without_form(other) }}
    end
{%- endmacro %}

{#- An address in one width, without blanks, with one form of hyphens; letters keep their case. -#}
{% macro address_without_form(address) -%}
    regexp_replace(
        regexp_replace({{ half_width_latin(one_width(address)) }}, '[\s\p{Z}]', '', 'g'),
        '[{{ hyphens_class() }}]', '-', 'g'
    )
{%- endmacro %}

{#-
    An address as it is compared with another: one width, hyphens alike, no spaces, capital letters. For the flag
    `address_is_employer`, where missing a match would let a letter go to an employer.
-#}
{% macro comparable_address(address) -%}
    case
        when not regexp_matches({{ address }}, '[\s\p{Z}\p{M}\p{Ll}{{ other_width_from() }}Ａ-Ｚ{{ hyphens_class() }}]')
            then {{ address }}
        -- Nearly all that is left differs in digits, hyphens and spaces alone: one translation instead of five steps.
        when regexp_full_match({{ address }}, '[{{ plain_address_class() }}]*')
            then translate({{ address }}, '０１２３４５６７８９‐‑‒–—―−ー－ 　', '0123456789---------')
        else upper({{ address_without_form(address) }})
    end
{%- endmacro %}

{#-
    Inside of a class: characters of an address that stay as they are when it is compared, and digits, hyphens and
    spaces of any width: no other Latin letter than capitals, no kana but full-width ones, no combining mark.
-#}
{% macro plain_address_class() -%}
    0-9A-Z \x{3000}０-９ぁ-ゖァ-ヺ々〇\x{4E00}-\x{9FFF}{{ hyphens_class() }}\-
{%- endmacro %}

{#- Text with full-width Latin letters in ASCII. -#}
{% macro half_width_latin(content) -%}
    case
        when regexp_matches({{ content }}, '[Ａ-Ｚａ-ｚ]')
            then translate({{ content }}, '{{ full_width_letters() }}', '{{ half_width_letters() }}')
        else {{ content }}
    end
{%- endmacro %}

{#- Inside of a class: characters that stand for a hyphen in addresses, beside the ASCII one. -#}
{% macro hyphens_class() -%}
    \x{2010}-\x{2015}\x{2212}\x{30FC}\x{FF0D}
{%- endmacro %}

{#- Whether a country is given and is not Japan: jp, "JP " and JPN are Japan (rules: what becomes of each row, line 9). Blank is not given. -#}
{% macro is_abroad(country) -%}
    coalesce(
        upper(trim(translate({{ country }}, '　', ' '))) not in ('JP', 'JPN') and not {{ is_blank(country) }}, false
    )
{%- endmacro %}

{#- Whether an address cannot be written to (rules: what becomes of each row, line 10); takes the relation that holds its columns. -#}
{% macro is_address_missing(relation) -%}
    (
        {{ is_blank(relation ~ '.country') }}
        or {{ is_blank(relation ~ '.address') }}
        or {{ is_word_for_nothing(relation ~ '.address') }}
        or {{ normalised_postal_code(relation ~ '.postal_code') }} is null
    )
{%- endmacro %}

{#-
    A postal code as 7 ASCII digits: NFKC, hyphens removed. Null when that is not what remains (rules: what becomes of
    each row, line 10).
-#}
{% macro normalised_postal_code(postal_code) -%}
    case
        when regexp_full_match({{ postal_code }}, '[0-9]{7}') then nullif({{ postal_code }}, '0000000')
        when regexp_full_match({{ plain_postal_code(postal_code) }}, '[0-9]{7}')
            then nullif({{ plain_postal_code(postal_code) }}, '0000000')
    end
{%- endmacro %}

{#- A postal code after NFKC, without hyphens, blanks and a leading 〒. -#}
{% macro plain_postal_code(postal_code) -%}
    {{ nfkc_postal_code("regexp_replace(regexp_replace(" ~ postal_code ~ ", '[\\s\\x0B\\x{85}\\p{Z}]', '', 'g'), '^〒', '')") }}
{%- endmacro %}
