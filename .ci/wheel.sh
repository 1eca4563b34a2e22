#!/usr/bin/env bash
# Build the source distribution and from it the wheel, list and check what they hold, install the wheel into a fresh
# environment, and run it from a folder that holds its own models.py, api.py and data/, as our users' folders do.
set -euo pipefail
cd "$(dirname "$0")/.."
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

.venv/bin/python -m build --outdir "$scratch/dist" . >"$scratch/build.log" 2>&1 || { cat "$scratch/build.log"; exit 1; }
.venv/bin/python .ci/content.py "$scratch"/dist/hstore-*.whl "$scratch"/dist/hstore-*.tar.gz
"${PYTHON:-python3}" -m venv "$scratch/venv"
install=(.venv/bin/uv pip install -q --python "$scratch/venv/bin/python")
"${install[@]}" --require-hashes -r requirements/default.lock
"${install[@]}" --no-deps "$scratch"/dist/hstore-*.whl

mkdir -p "$scratch/user/data" "$scratch/user/workflows"
cd "$scratch/user"
echo 'raise RuntimeError("the user'"'"'s models.py was imported")' | tee models.py api.py hstore_notes.py >data/__init__.py
export HSTORE_HOME="$scratch/home"
unset HSTORE_DATA_MIRROR HSTORE_DATABASE_URL
hstore="$scratch/venv/bin/hstore"
"$hstore" --version
"$hstore" data list >/dev/null
printf 'formula\nLaNi5\nTiFe\nMgH2\nNotAnElementXx\n' >mine.csv
"$hstore" screen mine.csv --target stationary --out out
test -s out/report.html && test "$(wc -l <out/candidates.csv)" = 4 && test "$(wc -l <out/rejected.csv)" = 2
"$hstore" fetch prototypes --types rutile --elements Mg --features tier-1 --features-out features.csv
test "$(wc -l <features.csv)" -ge 2
"$hstore" describe mine.csv --features magpie --json | grep -q '"described": 3'
if "$scratch/venv/bin/python" -c 'import torch' 2>/dev/null; then echo "the default install has torch"; exit 1; fi
{ "$hstore" physics enthalpy MgH2 2>&1 || true; } | grep -qF "hstore[mlip]"
"$scratch/venv/bin/python" -c 'import hstore_api.app as a; assert a.create_app().title'
echo "wheel: installed into a fresh environment and run beside the user's own models.py, api.py and data/"
