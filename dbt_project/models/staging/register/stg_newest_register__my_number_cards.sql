{{ newest_register('my_number_cards', 'member_key') }}
