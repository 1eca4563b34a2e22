#!/usr/bin/env bash
# The core of the tests against other releases than those of the lock, in a throw-away environment.
#
#   .ci/dependencies.sh lowest    the lowest releases that pyproject.toml allows, on the lowest Python
#   .ci/dependencies.sh newest    the newest releases there are, on the newest Python of ours that is installed
#
# Extras are postgres and mcp; what they and the default need of other packages is chosen as an installer would.
set -euo pipefail
cd "$(dirname "$0")/.."

core=(
  tests/test_start_up.py tests/hstore/test_errors_units.py tests/hstore/test_records.py tests/hstore/test_gas.py
  tests/hstore/test_store_records.py tests/hstore/test_store_upgrade.py tests/hstore/test_store_queries.py
  tests/models/test_magpie.py tests/models/test_unit_cell.py tests/workflows/test_cli.py
  tests/workflows/test_screen_command.py tests/api/test_health.py
  tests/api/test_predictions_route.py tests/workflows/test_fit_pct.py::test_the_command_prints_and_draws
)
uv=$PWD/.venv/bin/uv
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

find_python() { # find_python VERSION...: the first of them that is installed
  local version kept
  for version; do
    "$uv" python find --no-python-downloads "$version" 2>/dev/null && return
    kept=$({ pyenv versions --bare 2>/dev/null || true; } | grep "^$version\." | tail -n 1)
    [ -z "$kept" ] || { echo "$(pyenv root)/versions/$kept/bin/python"; return; }
  done
  echo "dependencies.sh: none of Python $* is installed" >&2
  return 1
}

case ${1:-} in
  lowest) python=$(find_python 3.11); how=(--resolution lowest-direct) ;;
  newest) python=$(find_python 3.13 3.12 3.11); how=(--upgrade) ;;
  *) echo "usage: .ci/dependencies.sh lowest|newest" >&2; exit 2 ;;
esac

pins() { "$uv" pip compile -q --no-header --no-annotate --python "$python" "$@"; }
pins "${how[@]}" --extra postgres --extra mcp pyproject.toml -o "$scratch/pins.txt"
# The tools of the tests do not count: the newest that go with those pins.
printf 'hypothesis\njsonschema\npsutil\npytest\n' >"$scratch/tools.in"
pins -c "$scratch/pins.txt" "$scratch/tools.in" -o "$scratch/tools.txt"
"$uv" venv -q --python "$python" "$scratch/venv"
install=("$uv" pip install -q --python "$scratch/venv/bin/python")
"${install[@]}" --compile-bytecode -r "$scratch/pins.txt" -r "$scratch/tools.txt"
"${install[@]}" --no-deps -e .

echo "$1: $("$python" --version), $(grep -c == "$scratch/pins.txt") packages"
HSTORE_TEST_HOME="$scratch/home" "$scratch/venv/bin/python" -m pytest -p no:cacheprovider -m "not long" "${core[@]}"
