#!/usr/bin/env bash
# Build the wheel, install it with the locked libraries in a scratch environment, use it from /.
# usage: bash bench/try_wheel.sh .venv/bin
set -euo pipefail
bin=$(cd "$1" && pwd)
root=$(cd "$(dirname "$0")/.." && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

cd "$root"
"$bin/uv" build -q --wheel --python "$bin/python" --out-dir "$scratch/dist" .
"$bin/uv" venv -q --python "$bin/python" "$scratch/venv"
"$bin/uv" pip install -q --python "$scratch/venv/bin/python" --require-hashes -r requirements.lock
"$bin/uv" pip install -q --python "$scratch/venv/bin/python" --no-deps "$scratch"/dist/*.whl

# From / nothing of the checkout can be imported by chance.
cd /
run=("$scratch/venv/bin/senoscreen")
"${run[@]}" --help > /dev/null
"$scratch/venv/bin/python" -m screen train --help > /dev/null
"${run[@]}" simulate simulate=tiny "out=$scratch/tiny" seed=1
test -f "$scratch/tiny/campaign.json"
echo "wheel: $(basename "$scratch"/dist/*.whl) installs and works from /"
