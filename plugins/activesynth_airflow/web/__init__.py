"""Pages and REST API inside of Airflow's own server."""
