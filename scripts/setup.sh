# Sourced by scripts/run and scripts/test: makes .venv once, and again when its inputs change. Needs Python 3.11+ only.

cd "$(dirname "${BASH_SOURCE[0]}")/.."

fail() {
  printf 'error: %s\n' "$*" >&2
  exit 1
}

find_python() {
  local candidate
  for candidate in "${PYTHON:-}" python3 python3.14 python3.13 python3.12 python3.11 python; do
    if [ -n "$candidate" ] && "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      echo "$candidate"
      return
    fi
  done
  fail "Python 3.11 or newer is needed; set PYTHON to where it is"
}

# prepare NAME PIP-ARGUMENTS...: install into .venv unless that was done with the same inputs.
prepare() {
  local name=$1 python stamp
  shift
  python=$(find_python)
  stamp=$({ cat pyproject.toml client/pyproject.toml constraints.txt; "$python" --version; printf '%s\n' "$PWD" "$@"; } | cksum)
  if [ "$(cat ".venv/stamp-$name" 2>/dev/null)" = "$stamp" ]; then
    return
  fi
  printf 'Setting up .venv (%s) ... ' "$name" >&2
  [ -x .venv/bin/python ] || "$python" -m venv .venv || fail "cannot make .venv: is the venv module installed?"
  .venv/bin/python -m pip --quiet --disable-pip-version-check install --upgrade 'pip>=25.1' >.venv/log 2>&1 &&
    .venv/bin/python -m pip --quiet --disable-pip-version-check install --constraint constraints.txt "$@" >>.venv/log 2>&1 ||
    { tail -n 20 .venv/log >&2; fail "the installation failed; its output is in .venv/log"; }
  echo "$stamp" >".venv/stamp-$name"
  printf 'done.\n' >&2
}
