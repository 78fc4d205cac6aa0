#!/usr/bin/env bash
# Make tables, users, buckets and pools before anything uses them; running it again changes nothing.
set -euo pipefail

# Ours first: on a cluster the parts of Airflow start as soon as its own tables are there.
activesynth database upgrade
activesynth objects prepare
airflow db migrate
airflow pools set gpu "${GPU_SLOTS:-1}" "one task per GPU" >/dev/null
# Standard input, not an argument: arguments are open to every process of the host.
python /opt/activesynth/bin/make_user.py "${ADMINISTRATOR:-admin}" </run/secrets/admin_password
