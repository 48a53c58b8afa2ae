# shellcheck shell=bash
# Sourced by the scripts here: goes to the root of the checkout and defines run(), which prints a command and runs it.
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit

run() {
  printf '+ %s\n' "$(printf '%q ' "$@")" >&2
  "$@"
}

as_root() {
  if [[ $(id -u) == 0 ]]; then run "$@"; else run sudo "$@"; fi
}
