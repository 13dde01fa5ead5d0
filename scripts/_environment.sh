# Sourced by the scripts beside it: makes `.venv` in the project's folder from requirements.lock, every file checked
# against its hash, and sets `root` and `python`. The environment is kept as long as the lock, pyproject.toml and the
# folder are the same. The current directory stays as it was.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
python=$root/.venv/bin/python
export PATH # an empty environment leaves bash with a search path that its children do not see

fail() {
    printf '%s\n' "$1" >&2
    exit 1
}

# The first Python on PATH that is new enough; a name may exist and not run, so each is asked.
find_python() {
    local name
    for name in python3 python3.14 python3.13 python3.12 python3.11; do
        if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            printf '%s\n' "$name"
            return
        fi
    done
    return 1
}

make_with_uv() {
    local base
    echo "making .venv with uv from requirements.lock"
    export UV_SYSTEM_CERTS=1
    base=$(find_python) || base=">=3.11"
    uv venv --quiet --allow-existing --python "$base" .venv &&
        uv pip install --quiet --python "$python" --require-hashes -r requirements.lock &&
        uv pip install --quiet --python "$python" --no-deps --no-build-isolation -e .
}

make_with_pip() {
    local base
    echo "making .venv with python and pip from requirements.lock (one to three minutes)"
    base=$(find_python) || fail "expected Python 3.11 or newer, or uv, on PATH: install one of them"
    "$base" -m venv .venv &&
        "$python" -m pip install -qq --disable-pip-version-check --require-hashes -r requirements.lock &&
        "$python" -m pip install -qq --disable-pip-version-check --no-deps --no-build-isolation -e .
}

stamp() {
    printf '%s\n' "$root"
    cat "$root/requirements.lock" "$root/pyproject.toml"
}

if ! stamp | cmp -s - "$root/.venv/made-from" || ! "$python" -c '' 2>/dev/null; then
    (
        cd "$root" || exit 1
        if command -v uv >/dev/null 2>&1; then make_with_uv; else make_with_pip; fi
    ) >&2 || fail "could not make .venv: the lines above say why; delete the folder .venv to start over"
    stamp >"$root/.venv/made-from"
fi
