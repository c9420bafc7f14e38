-- SQL that several rules share. Each is made again in every gate's own in-memory database.

create macro prefecture_of_member(member_key) as member_key // 110000000000000000;
create macro prefecture_of_household(household_key) as household_key // 1100000000000000;
create macro prefecture_of_employer(employer_key) as employer_key // 110000000;
create macro employer_of_household(household_key) as household_key // 10000000;

-- Control number of a piece: 9 digits of sequence and 2 check digits, ISO 7064 MOD 97-10.
create macro control_number(sequence) as
    lpad(sequence::varchar, 9, '0') || lpad((98 - (sequence * 100) % 97)::varchar, 2, '0');

create macro is_control_number(content) as coalesce(
    case when regexp_full_match(content, '[0-9]{11}') then content = control_number(content[:9]::bigint) end, false
);

-- Unicode spaces are blank; so is null.
create macro is_blank(content) as coalesce(regexp_full_match(content, '[\s\x0B\x{85}\p{Z}]*'), true);

-- The check digit of a My Number (12 digits): weights of the first eleven from the left, sum mod 11.
create macro is_my_number(digits) as digits[12]::integer = (
    case
        when list_sum(list_transform(range(1, 12), lambda place: digits[place]::integer
            * ([6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2])[place])) % 11 <= 1 then 0
        else 11 - list_sum(list_transform(range(1, 12), lambda place: digits[place]::integer
            * ([6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2])[place])) % 11
    end
);

-- Whether text holds a run of exactly 12 digits, or the 4-4-4 groups of the card's face, that passes that check.
-- The cheap pattern comes first: hardly a name or an address gets past it.
create macro holds_my_number(content) as
    case
        when regexp_matches(content, '[0-9０-９]{4}[- ‐－　]?[0-9０-９]{4}[- ‐－　]?[0-9０-９]{4}') then
            len(list_filter(
                regexp_extract_all(
                    regexp_replace(
                        translate(content, '０１２３４５６７８９', '0123456789'),
                        '([0-9]{4})[- ‐－　]([0-9]{4})[- ‐－　]([0-9]{4})', '\1\2\3', 'g'
                    ),
                    '[0-9]+'
                ),
                lambda run: length(run) = 12 and is_my_number(run)
            )) > 0
        else false
    end;

-- A birthday; born on 29 February: 1 March in a common year (rules: validity, caps).
create macro birthday(born_on, years) as (
    case
        when month(born_on) = 2 and day(born_on) = 29 and day(last_day(make_date(year(born_on) + years, 2, 1))) = 28
            then make_date(year(born_on) + years, 3, 1)
        else make_date(year(born_on) + years, month(born_on), day(born_on))
    end
);
