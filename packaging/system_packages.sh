#!/usr/bin/env bash
# Installs the Debian packages that the embedded engines, the embedded human corpus and the tests need; says what to type where it may not.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
mapfile -t wanted < "$here/system-packages.txt"
transcript=/usr/share/doc/asterisk-core-sounds-en/core-sounds-en.txt.gz

missing=()
for package in "${wanted[@]}"; do
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
done
# Minimal images exclude /usr/share/doc, where the transcripts lie: such a package counts as missing.
[ -e "$transcript" ] || missing+=(asterisk-core-sounds-en)
[ ${#missing[@]} -gt 0 ] || exit 0

install=(apt-get install -y -qq --no-install-recommends --reinstall
  -o "Dpkg::Options::=--path-include=/usr/share/doc/asterisk-core-sounds-en*/*" "${missing[@]}")
if ! command -v apt-get >/dev/null; then
  echo "setup: this is no Debian system; install the equivalents of: ${missing[*]}" >&2
  exit 1
elif [ "$(id -u)" -ne 0 ]; then
  echo "setup: system packages are missing; type this, then run make again:" >&2
  echo "  sudo apt-get update && sudo ${install[*]@Q}" >&2
  exit 1
fi
echo "setup: installing ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
# The tests start servers of their own: a first PostgreSQL on this machine need not bring one that runs all the time.
if [ ! -e /etc/postgresql-common ]; then
  mkdir -p /etc/postgresql-common/createcluster.d
  echo "create_main_cluster = off" > /etc/postgresql-common/createcluster.d/unisrm-data.conf
fi
apt-get update -qq
"${install[@]}" >/dev/null
