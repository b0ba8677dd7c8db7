#!/usr/bin/env bash
# Sets up a fresh clone: what Debian lacks (as root), the npm packages, the build. Says what is missing where it cannot.
set -euo pipefail
cd "$(dirname "$0")/.."

fail() { echo "setup: $*" >&2; exit 1; }

command -v node >/dev/null || fail "Node.js 20 or newer is needed and not on the PATH"
node -e 'process.exit(Number(process.versions.node.split(".")[0]) >= 20 ? 0 : 1)' ||
  fail "Node.js 20 or newer is needed; this is $(node --version)"

# Debian packages by the command that shows that they are there.
install_debian() {
  local missing=()
  local command package
  for pair in "$@"; do
    command=${pair%%=*} package=${pair##*=}
    command -v "$command" >/dev/null || missing+=("$package")
  done
  [ ${#missing[@]} -eq 0 ] && return 0
  if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
    echo "setup: please install: ${missing[*]} (e.g. sudo apt-get install ${missing[*]})" >&2
    return 1
  fi
  echo "setup: installing ${missing[*]}"
  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

install_debian gcc=gcc make=make as=binutils ||
  fail "a C compiler builds the KVM host; without one use the packaged extension, which brings it prebuilt"
[ "${1:-}" = --tests ] && { install_debian chromium=chromium || fail "the UI tests drive VS Code in Chromium"; }

if ! cmp -s package-lock.json node_modules/.hyperstep-lock; then
  npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
  cp package-lock.json node_modules/.hyperstep-lock
fi
npm run --silent build
