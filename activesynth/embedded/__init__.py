"""Start and stop the embedded platform: one Postgres and one Airflow, owned by one user."""
