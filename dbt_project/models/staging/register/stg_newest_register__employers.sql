{{ newest_register('employers', 'employer_key') }}
