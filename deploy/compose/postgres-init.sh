#!/bin/sh
# Makes wahana's owner and database when PostgreSQL starts for the first time. The owner is no superuser:
# row security holds for it. `wahana migrate` makes the two roles that wahana serves with.
set -eu
psql --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname postgres \
    --set password="$WAHANA_DATABASE_PASSWORD" <<'SQL'
CREATE ROLE wahana_owner LOGIN PASSWORD :'password' CREATEROLE;
CREATE DATABASE wahana OWNER wahana_owner;
SQL
