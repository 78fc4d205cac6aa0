#!/usr/bin/env bash
# Make the hashed lock files of the images anew: docker/lock.sh, with `uv` on the PATH.
#   TORCH_CPU  where the CPU build of torch comes from: an index or a folder of wheels
# Then look at the licences: python docker/licences.py --fill
set -euo pipefail
cd "$(dirname "$0")"
TORCH_CPU=${TORCH_CPU:-https://download.pytorch.org/whl/cpu}

# A constraint of the same name would win over an override.
names=$(sed -nE 's/^([a-z0-9-]+)==.*/\1/p' overrides.txt | paste -sd '|')

resolve() { # NAME ARGUMENTS...
  local name=$1
  shift
  uv pip compile ../requirements.txt ../requirements-generators.txt requirements.txt "$@" \
    --constraint <(grep -vE "^($names|torch|faiss-cpu)==" ../constraints.txt) --override overrides.txt \
    --python-version 3.11 --python-platform x86_64-manylinux_2_28 --generate-hashes \
    --no-header --no-annotate --no-emit-index-url --no-emit-find-links --quiet --output-file "$name"
  sed -i "1i # Made by docker/lock.sh; do not edit." "$name"
}

resolve requirements.lock --override <(echo torch==2.13.0+cpu) --find-links "$TORCH_CPU"
resolve requirements-gpu.lock --override <(printf 'faiss-cpu ; python_version < "3"\n') <(echo faiss-gpu==1.15.1)
