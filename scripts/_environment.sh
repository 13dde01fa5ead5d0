# Sourced by the scripts beside it: goes to the project's folder and makes `.venv` there from requirements.lock,
# every file checked against its hash. It is kept as long as the lock, pyproject.toml and the folder are the same.

cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
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

make_environment() {
    local python
    if command -v uv >/dev/null 2>&1; then
        echo "making .venv with uv from requirements.lock"
        export UV_SYSTEM_CERTS=1
        python=$(find_python) || python=">=3.11"
        uv venv --quiet --allow-existing --python "$python" .venv || return 1
        uv pip install --quiet --python .venv/bin/python --require-hashes -r requirements.lock || return 1
        uv pip install --quiet --python .venv/bin/python --no-deps --no-build-isolation -e . || return 1
    else
        echo "making .venv with python and pip from requirements.lock (about a minute)"
        python=$(find_python) || fail "expected Python 3.11 or newer, or uv, on PATH: install one of them"
        "$python" -m venv .venv || return 1
        .venv/bin/python -m pip install -qq --disable-pip-version-check --require-hashes -r requirements.lock || return 1
        .venv/bin/python -m pip install -qq --disable-pip-version-check --no-deps --no-build-isolation -e . || return 1
    fi
}

stamp() {
    pwd
    cat requirements.lock pyproject.toml
}

if ! stamp | cmp -s - .venv/made-from || ! .venv/bin/python -c '' 2>/dev/null; then
    make_environment || fail "could not make .venv: the lines above say why; delete the folder .venv to start over"
    stamp > .venv/made-from
fi
