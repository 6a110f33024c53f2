#!/usr/bin/env bash
# Put a backup of backup.sh in the place of the database and of the photos: restore.sh latest, or the name of a backup.
#
# The database that PGDATABASE names is not touched until the whole backup has been read into one beside it. Then the two
# change names; the old one stays, as <name>_before_<time>, until somebody drops it. PGUSER must be allowed to make
# databases. BACKUP_FOLDER and MEDIA_FOLDER as in backup.sh; DATABASE_OWNER: whom the tables belong to (PGUSER).
set -euo pipefail

folder=${BACKUP_FOLDER:?name the folder of the backups}
media=${MEDIA_FOLDER:-}
database=${PGDATABASE:?name the database}
fresh=${database}_restoring

refuse() {
  echo "$1" >&2
  exit 1
}

ask() {
  psql --dbname=postgres --no-psqlrc --quiet --tuples-only --no-align --set=ON_ERROR_STOP=1 \
    --set=name="$database" --set=fresh="$fresh" --set=old="${old:-}" "$@"
}

wanted=${1:?say which backup: latest, or one of: $(find "$folder" -mindepth 1 -maxdepth 1 -name '20*' -printf '%f ' | sort)}
if [ "$wanted" = latest ]; then
  wanted=$(find "$folder" -mindepth 1 -maxdepth 1 -type d -name '20*' -printf '%f\n' | sort | tail -n 1)
  [ -n "$wanted" ] || refuse "There is no backup in $folder."
fi
backup=$folder/$wanted
[ -f "$backup/database.dump" ] || refuse "There is no backup $backup."
(cd "$backup" && sha256sum --check --quiet database.dump.sha256) || refuse "The backup $backup is damaged: take another."

others=$(ask <<<"SELECT count(*) FROM pg_stat_activity WHERE datname = :'name'")
[ "$others" = 0 ] || refuse "$others connections use $database. Stop web, workers, beat and watch first; nothing was changed."

owner=${DATABASE_OWNER:-$(ask <<<"SELECT current_user")}
dropdb --maintenance-db=postgres --if-exists "$fresh"
createdb --maintenance-db=postgres --template=template0 --encoding=UTF8 --owner="$owner" "$fresh"
pg_restore --dbname="$fresh" --single-transaction --exit-on-error --no-owner --no-privileges --role="$owner" \
  "$backup/database.dump"
psql --dbname="$fresh" --no-psqlrc --quiet --command="ANALYZE"

old=${database}_before_$(date -u +%Y%m%d%H%M%S)
exists=$(ask <<<"SELECT count(*) FROM pg_database WHERE datname = :'name'")
if [ "$exists" = 1 ]; then
  ask --single-transaction <<<'ALTER DATABASE :"name" RENAME TO :"old"; ALTER DATABASE :"fresh" RENAME TO :"name";'
  echo "What was there is now the database $old; drop it when you do not need it any more."
else
  ask <<<'ALTER DATABASE :"fresh" RENAME TO :"name";'
fi

if [ -n "$media" ] && [ -d "$backup/media" ]; then
  cp --recursive --preserve=timestamps "$backup/media/." "$media"
  chmod --recursive u=rwX,go=rX "$media"
  # As root: to whom the folder belongs.
  if [ "$(id -u)" = 0 ]; then
    chown --recursive --reference="$media" "$media"
  fi
fi
echo "Restored: $backup"
