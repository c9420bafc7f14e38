{{ newest_register('members', 'member_key') }}
