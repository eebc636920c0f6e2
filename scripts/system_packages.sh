#!/usr/bin/env bash
# Installs those of the named Debian packages that are missing. It starts no service:
# the tests start their own servers, in folders of their own.
set -euo pipefail

missing=()
for package in "$@"; do
    status=$(dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null || true)
    [[ $status == installed ]] || missing+=("$package")
done
((${#missing[@]})) || exit 0

if ((EUID)); then
    echo "please install as root: apt-get install ${missing[*]}" >&2
    exit 1
fi

# Debian starts a service right after installing it, unless this file says no (101).
policy=/usr/sbin/policy-rc.d
if [[ ! -e $policy ]]; then
    trap 'rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod +x "$policy"
fi

export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
apt() { apt-get --quiet --yes -o DPkg::Lock::Timeout=600 "$@" </dev/null >>"$log" 2>&1; }

echo "installing ${missing[*]} (a minute or two)"
# A package list that is missing or old names versions that can no longer be fetched.
if ! { apt update && apt install --no-install-recommends "${missing[@]}"; }; then
    tail -n 30 "$log" >&2
    exit 1
fi
rm -f "$log"
