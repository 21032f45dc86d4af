# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Shell helpers shared by the scripts in this folder: sourced, never run.

# Prints a line that starts with the seconds since the script began.
# Arguments: the text.
say() { printf '[%4ds] %s\n' "$SECONDS" "$*"; }

# Prints an error to stderr and ends the script.
# Arguments: the text, which says what was being done, what went wrong and what to try.
die() {
  printf 'error: %s\n' "$*" >&2
  exit 1
}

# How many compilers to run at once: one a core, at least one for every 2 GiB of memory. JOBS overrides it.
jobs_for_build() {
  local cores memory_kib by_memory
  if [[ -n ${JOBS:-} ]]; then
    echo "$JOBS"
    return
  fi
  cores=$(nproc 2>/dev/null || echo 2)
  memory_kib=$(awk '/^MemAvailable:/ {print $2}' /proc/meminfo 2>/dev/null || echo 4194304)
  by_memory=$((${memory_kib:-4194304} / 2097152))
  ((by_memory >= 1)) || by_memory=1
  echo $((cores < by_memory ? cores : by_memory))
}
