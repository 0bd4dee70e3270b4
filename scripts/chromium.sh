#!/usr/bin/env bash
# The browser for the tests of the explorer: Debian's Chromium, installed where there is none and this may be done.
set -euo pipefail
for name in chromium-headless-shell chromium chromium-browser google-chrome; do
    if command -v "$name" >/dev/null; then exit 0; fi
done
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    export DEBIAN_FRONTEND=noninteractive
    echo "installing Chromium for the tests in a browser"
    { apt-get update -qq -o Acquire::Retries=3 && { apt-get install -y -qq -o Acquire::Retries=3 --no-install-recommends chromium-headless-shell fonts-dejavu-core ||
            apt-get install -y -qq -o Acquire::Retries=3 --no-install-recommends chromium fonts-dejavu-core; }; } >/dev/null && exit 0
fi
echo "there is no Chromium here: the tests in a browser will be skipped (apt-get install chromium)"
