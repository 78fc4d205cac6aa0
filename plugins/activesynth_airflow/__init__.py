"""Airflow's side of the project: doorways from tasks to steps, and failures mapped to retries."""
