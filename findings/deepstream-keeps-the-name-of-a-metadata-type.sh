#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# nvds_get_user_meta_type keeps the pointer to the name that it is given, not a copy: when the caller uses that memory for something
# else, the same name gets another number. Give it a name that stays for the life of the process.
source "$(dirname "$0")/common.bash"

python_with nvidia-deepstream-videodecode-cu13==9.0.2
expect "a name keeps its number whatever the caller does with its own memory"
LD_LIBRARY_PATH=$(echo "$work"/venv/lib/python3*/site-packages/nvidia/deepstream_videodecode/_libs)
export LD_LIBRARY_PATH

seen=$(
  run_python <<'PYTHON'
import ctypes

meta = ctypes.CDLL("libnvds_meta.so")
number = meta.nvds_get_user_meta_type
number.argtypes = [ctypes.c_char_p]
kept = ctypes.create_string_buffer(b"EXAMPLE.FIRST.USER_META")
first = number(ctypes.cast(kept, ctypes.c_char_p))
assert number(b"EXAMPLE.FIRST.USER_META") == first
kept.value = b"EXAMPLE.OTHER.USER_META"
again = number(b"EXAMPLE.FIRST.USER_META")
print("the same number" if again == first else "another number")
PYTHON
)
sed 's/^/seen: /' <<<"$seen"
grep -q "another number" <<<"$seen"
echo "so: intern the name (g_intern_string) before the call"
