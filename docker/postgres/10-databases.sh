#!/bin/bash
# Runs once: two databases, and roles that can do no more than they need. Compose runs it in an empty
# Postgres; for a server of yours PGHOST, PGPASSWORD and POSTGRES_USER name it and a role that may
# make roles and databases, and SECRETS names the folder of the passwords.
#   airflow             owns the database airflow
#   activesynth_owner   owns the tables of lineage; migrations alone use it
#   activesynth         reads and writes rows: workers
#   activesynth_reader  reads rows: people and pages
set -euo pipefail

# Read before anything is made: a role whose password cannot be read would get none.
declare -A password
for role in airflow activesynth_owner activesynth activesynth_reader; do
  password[$role]=$(<"${SECRETS:-/run/secrets}/${role}_password")
  [ -n "${password[$role]}" ] || { echo "the password of $role is empty; nothing was made" >&2; exit 1; }
done

# Passwords come by standard input: arguments are open to every process.
gosu_psql() { psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --username "${POSTGRES_USER:-postgres}" --dbname "$1"; }
run() { if [ "$(id -u)" = 0 ] && command -v gosu >/dev/null; then gosu postgres bash -c "$(declare -f gosu_psql); gosu_psql $1"; else gosu_psql "$1"; fi; }

run postgres <<SQL
CREATE ROLE airflow LOGIN PASSWORD '${password[airflow]}';
CREATE ROLE activesynth_owner LOGIN PASSWORD '${password[activesynth_owner]}';
CREATE ROLE activesynth LOGIN PASSWORD '${password[activesynth]}';
CREATE ROLE activesynth_reader LOGIN PASSWORD '${password[activesynth_reader]}';
-- A managed server gives nobody superuser: only a member may make its role the owner of something.
GRANT airflow, activesynth_owner TO CURRENT_USER;
CREATE DATABASE airflow OWNER airflow;
CREATE DATABASE activesynth OWNER activesynth_owner;
REVOKE ALL ON DATABASE airflow FROM PUBLIC;
REVOKE ALL ON DATABASE activesynth FROM PUBLIC;
REVOKE ALL ON DATABASE postgres FROM PUBLIC;
GRANT CONNECT, TEMPORARY ON DATABASE activesynth TO activesynth;
GRANT CONNECT ON DATABASE activesynth TO activesynth_reader;
SQL

# What migrations make later falls under these, so no migration has to know the roles.
run activesynth <<SQL
REVOKE ALL ON SCHEMA public FROM PUBLIC;
ALTER DEFAULT PRIVILEGES FOR ROLE activesynth_owner
  GRANT USAGE ON SCHEMAS TO activesynth, activesynth_reader;
ALTER DEFAULT PRIVILEGES FOR ROLE activesynth_owner
  GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO activesynth;
ALTER DEFAULT PRIVILEGES FOR ROLE activesynth_owner
  GRANT USAGE, SELECT ON SEQUENCES TO activesynth;
ALTER DEFAULT PRIVILEGES FOR ROLE activesynth_owner
  GRANT SELECT ON TABLES TO activesynth_reader;
REVOKE airflow, activesynth_owner FROM CURRENT_USER;
SQL
