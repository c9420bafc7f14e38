{{ newest_register('addresses', 'household_key') }}
