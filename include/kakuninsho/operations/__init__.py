"""What the calendar does, one module per sentence. No Airflow here: DAGs, bench and tests call the same functions."""
