#!/bin/sh
# Airflow takes this secret from its environment or a configuration file only; the others it, or
# activesynth, reads from their files. A container that was not given it does without.
set -eu
if [ -r /run/secrets/jwt_secret ]; then
  AIRFLOW__API_AUTH__JWT_SECRET=$(cat /run/secrets/jwt_secret)
  export AIRFLOW__API_AUTH__JWT_SECRET
fi
exec "$@"
