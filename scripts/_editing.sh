# Sourced by `check` and `test`, after `_environment.sh`: brings the language server that editors check YAML with, for
# tests/editing, in the versions of its lock, each file checked against its hash. Where npm is not there, or reaches no
# registry, it is left out, and those tests say so.

editing=$root/.venv/editing
editing_lock=$root/tests/editing/package-lock.json

if command -v npm >/dev/null 2>&1 && ! cmp -s "$editing_lock" "$editing/made-from"; then
    (
        echo "bringing yaml-language-server with npm from tests/editing/package-lock.json"
        mkdir -p "$editing" && cp "${editing_lock%/*}"/package*.json "$editing" && cd "$editing" &&
            npm ci --ignore-scripts --no-audit --no-fund --loglevel=error --fetch-retries=1 --fetch-timeout=20000 &&
            cp package-lock.json made-from
    ) >&2 || echo "yaml-language-server is not brought: the lines above say why" >&2
fi
