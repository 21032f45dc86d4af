# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Roots of other Debian releases, made by debootstrap, for scripts that are run as root. Sourced, never run, behind
# lib.sh. ROOT: the folder of the root. SUITE: the release.

need_debootstrap() {
  [[ $(id -u) == 0 ]] || die "making a Debian root needs root (run: sudo $0 $SUITE)"
  command -v debootstrap >/dev/null || die "debootstrap is not installed (apt-get install debootstrap)"
}

# DSMSG_DEBIAN_MIRROR, else that of this machine's apt, else nothing: debootstrap's own choice.
mirror() {
  local found
  found=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 2>/dev/null |
    grep -m1 '/debian/\?$' || true)
  echo "${DSMSG_DEBIAN_MIRROR:-$found}"
}

# Makes a minimal root. Arguments: the release; "experimental" is added to sid by the caller.
make_root() {
  say "making a root of Debian $SUITE in $ROOT"
  rm -rf "$ROOT"
  mkdir -p "$ROOT"
  # In a separate mount namespace: what debootstrap mounts ends with it.
  # shellcheck disable=SC2046  # no mirror, no argument
  unshare -m debootstrap --variant=minbase "${1/experimental/sid}" "$ROOT" $(mirror) >"$ROOT.log" 2>&1 ||
    { tail -n 20 "$ROOT.log"; die "debootstrap failed, its log is $ROOT.log (is the mirror reachable? DSMSG_DEBIAN_MIRROR names another)"; }
  cp /etc/resolv.conf "$ROOT/etc/resolv.conf"
  mkdir "$ROOT/src" "$ROOT/build"
  # No server starts by itself.
  printf '#!/bin/sh\nexit 101\n' >"$ROOT/usr/sbin/policy-rc.d"
  chmod 755 "$ROOT/usr/sbin/policy-rc.d"
  # A mirror may be a snapshot; the signatures are checked all the same.
  echo 'Acquire::Check-Valid-Until "false";' >"$ROOT/etc/apt/apt.conf.d/99snapshot"
}

finish_root() {
  touch "$ROOT/.complete"
  say "the root is there: $(du -sh "$ROOT" 2>/dev/null | cut -f1)"
}

packages_failed() {
  tail -n 20 "$ROOT.log"
  die "the packages could not be installed, the log is $ROOT.log"
}
