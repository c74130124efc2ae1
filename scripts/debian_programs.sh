#!/bin/sh
# Installs what the tests use of Debian's packages: Chromium, in which they look at the console's page, and kcat, with which
# they type the lines of the documents. Says why where it cannot; the tests that need one are skipped then.
set -u
missing=""
for program in chromium kcat; do
  command -v "$program" >/dev/null 2>&1 || missing="$missing $program"
done
if [ -z "$missing" ]; then
  exit 0
fi
skipped="tests that need it are skipped:$missing"
if ! command -v apt-get >/dev/null 2>&1; then
  echo "not here, and apt-get is not either; $skipped" >&2
  exit 0
fi
if [ "$(id -u)" != 0 ]; then
  echo "not here; $skipped; install with: sudo apt-get install$missing" >&2
  exit 0
fi
echo "Installing$missing with apt-get, for the tests"
for program in $missing; do
  if ! { apt-get install -y -qq "$program" || { apt-get update -qq && apt-get install -y -qq "$program"; }; } >/dev/null 2>&1; then
    echo "apt-get could not install it; tests that need it are skipped: $program" >&2
  fi
done
exit 0
