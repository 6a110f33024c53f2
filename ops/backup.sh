#!/usr/bin/env bash
# One backup of the database and of the photos: backup.sh once. Every night, until it is stopped: backup.sh nightly.
#
# The database is the one that libpq's own variables name (PGHOST, PGUSER, PGDATABASE, PGPASSWORD …).
#   BACKUP_FOLDER     where the backups are kept, each in a folder named after its time (UTC)
#   MEDIA_FOLDER      the photos; empty: they are kept elsewhere
#   BACKUP_KEEP_DAYS  how long one is kept (14); the last three stay whatever their age
#   BACKUP_HOUR       when the nightly one begins (1), UTC
set -euo pipefail
umask 077

folder=${BACKUP_FOLDER:?name the folder of the backups}
media=${MEDIA_FOLDER:-}
keep_days=${BACKUP_KEEP_DAYS:-14}
hour=${BACKUP_HOUR:-1}
name_format=%Y-%m-%dT%H%M%SZ
names='20??-??-??T??????Z'
at_least=3

backups() {
  find "$folder" -mindepth 1 -maxdepth 1 -type d -name "$names" | sort
}

copy_photos() {
  local target=$1 previous=$2
  mkdir -p "$target"
  # What did not change since the last backup is the same file: it takes no room.
  if [ -n "$previous" ] && [ -d "$previous/media" ]; then
    cp --recursive --link "$previous/media/." "$target"
  fi
  find "$media" -mindepth 1 -maxdepth 1 ! -name exports -exec \
    cp --recursive --update --remove-destination --preserve=timestamps --target-directory="$target" {} +
  # The single quotes are meant: the inner shell reads $0, the folder of the photos.
  # shellcheck disable=SC2016
  (cd "$target" && find . -type f -exec sh -c 'for photo; do [ -e "$0/$photo" ] || rm "$photo"; done' "$media" {} +)
}

forget_old() {
  local oldest
  oldest=$(date -u -d "-$keep_days days" "+$name_format")
  backups | head -n "-$at_least" | while IFS= read -r backup; do
    if [[ ${backup##*/} < $oldest ]]; then
      rm -rf "$backup"
      echo "forgotten: $backup"
    fi
  done
}

back_up() {
  local name partial
  name=$(date -u "+$name_format")
  partial=$folder/partial
  rm -rf "$partial"
  mkdir "$partial"
  # First the rows, then the photos: every photo that a row names is there.
  pg_dump --format=custom --no-owner --no-privileges --file="$partial/database.dump"
  pg_restore --list "$partial/database.dump" >"$partial/contents.txt"
  if [ -n "$media" ]; then
    copy_photos "$partial/media" "$(backups | tail -n 1)"
  fi
  (cd "$partial" && sha256sum database.dump >database.dump.sha256)
  sync "$partial/database.dump"
  # Only what is whole gets a name.
  mv "$partial" "$folder/$name"
  echo "written: $folder/$name ($(du -sh "$folder/$name" | cut -f1))"
  forget_old
}

seconds_until_night() {
  local next
  next=$(date -u -d "$hour:00" +%s)
  local now
  now=$(date -u +%s)
  echo $(((next - now + 86400) % 86400 + 1))
}

nap() {
  sleep "$1" &
  wait $!
}

every_night() {
  trap 'exit 0' TERM INT
  # A new installation is not without a backup until the night.
  [ -n "$(backups)" ] || "$0" once || true
  while true; do
    nap "$(seconds_until_night)"
    until "$0" once; do
      echo "The backup failed; again in ten minutes." >&2
      nap 600
    done
  done
}

case ${1:-} in
  once) back_up ;;
  nightly) every_night ;;
  *)
    echo "usage: $0 once | nightly" >&2
    exit 2
    ;;
esac
