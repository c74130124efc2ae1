#!/bin/sh
# Installs Debian's Chromium, in which the tests look at the console's page. Says why where it cannot; the tests of the
# page are skipped then.
set -u
if command -v chromium >/dev/null 2>&1; then
  exit 0
fi
if ! command -v apt-get >/dev/null 2>&1; then
  echo "chromium is not here, and apt-get is not either: tests of the console's page are skipped" >&2
  exit 0
fi
if [ "$(id -u)" != 0 ]; then
  echo "chromium is not here: tests of the console's page are skipped; install it with: sudo apt-get install chromium" >&2
  exit 0
fi
echo "Installing chromium with apt-get, for the tests of the console's page"
if ! { apt-get install -y -qq chromium || { apt-get update -qq && apt-get install -y -qq chromium; }; } >/dev/null 2>&1; then
  echo "apt-get could not install chromium: tests of the console's page are skipped" >&2
fi
exit 0
