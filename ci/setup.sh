#!/usr/bin/env sh
# Checks the three tools a fresh clone needs and prints the Python to use; says which version is wanted and where to get it.
set -eu

need() { # name, wanted, found, how to get it
    printf 'fonderie needs %s %s, found %s.\n  get it: %s\n' "$1" "$2" "$3" "$4" >&2
    exit 8
}

at_least() { # found, wanted: true when found >= wanted, as versions
    [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]
}

# Each is run, not looked up: pyenv has shims for versions that it does not select, Debian has Pythons without venv.
python=""
for candidate in ${PYTHON:-python3.13 python3.12 python3.11 python3}; do
    if "$candidate" -c 'import ensurepip, sys, venv; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' >/dev/null 2>&1; then
        python=$candidate
        break
    fi
done
[ -n "$python" ] || need Python '3.11, 3.12 or 3.13 with venv' "$("${PYTHON:-python3}" --version 2>/dev/null || echo none)" \
    'your package manager, or https://www.python.org/downloads/; PYTHON=/path/to/python3.12 make ... names another one'

node=$(node --version 2>/dev/null | tr -d v) || true
[ -n "$node" ] && at_least "$node" 20.0.0 || need Node '20 or newer' "${node:-none}" 'https://nodejs.org/'
command -v npm >/dev/null || need npm '10 or newer' none 'it comes with Node: https://nodejs.org/'

tool=${TERRAFORM_BINARY_NAME:-terraform} # OpenTofu, if this names it
terraform=$(CHECKPOINT_DISABLE=1 TF_CLI_CONFIG_FILE=/dev/null "$tool" version 2>/dev/null |
    sed -n -e 's/^Terraform v//p' -e 's/^OpenTofu v//p') || true
[ -n "$terraform" ] && at_least "$terraform" 1.8.0 || need Terraform '1.8 or newer' "${terraform:-none}" \
    'https://developer.hashicorp.com/terraform/install'

echo "$python"
