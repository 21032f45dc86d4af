#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Two threads that add user metadata to the same frame (converters in two branches of a tee) lose some of it, although each call takes
# the lock of the batch: it reads the head of the list before, and writes it after.
source "$(dirname "$0")/common.bash"

python_with nvidia-deepstream-videodecode-cu13==9.0.2
expect "after 2 x 20000 calls of nvds_add_user_meta_to_frame the frame has 40000 elements"
LD_LIBRARY_PATH=$(echo "$work"/venv/lib/python3*/site-packages/nvidia/deepstream_videodecode/_libs)
export LD_LIBRARY_PATH

run_python <<'PYTHON'
import ctypes
import sys
import threading

EACH = 20000
meta = ctypes.CDLL("libnvds_meta.so")
for name, arguments in {
    "create_batch_meta": 1,
    "destroy_batch_meta": 1,
    "acquire_frame_meta_from_pool": 1,
    "add_frame_meta_to_batch": 2,
    "acquire_user_meta_from_pool": 1,
    "add_user_meta_to_frame": 2,
    "acquire_meta_lock": 1,
    "release_meta_lock": 1,
}.items():
    function = getattr(meta, f"nvds_{name}")
    function.restype = ctypes.c_void_p
    function.argtypes = [ctypes.c_void_p] * arguments


def length(frame):
    count = 0
    node = ctypes.c_uint64.from_address(frame + 120).value  # frame_user_meta_list
    while node:
        count += 1
        node = ctypes.c_uint64.from_address(node + 8).value
    return count


def added(locked):
    batch = meta.nvds_create_batch_meta(1)
    frame = meta.nvds_acquire_frame_meta_from_pool(batch)
    meta.nvds_add_frame_meta_to_batch(batch, frame)

    def add(elements):
        for element in elements:
            if locked:
                meta.nvds_acquire_meta_lock(batch)
            meta.nvds_add_user_meta_to_frame(frame, element)
            if locked:
                meta.nvds_release_meta_lock(batch)

    lists = [[meta.nvds_acquire_user_meta_from_pool(batch) for _ in range(EACH)] for _ in range(2)]
    threads = [threading.Thread(target=add, args=(elements,)) for elements in lists]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return length(frame)


alone = []
while len(alone) < 20 and (not alone or alone[-1] == 2 * EACH):
    alone.append(added(locked=False))
locked = [added(locked=True) for _ in range(3)]
print("as they are:                   ", alone)
print("with nvds_acquire_meta_lock(): ", locked)
sys.exit(0 if alone[-1] < 2 * EACH and set(locked) == {2 * EACH} else 1)
PYTHON
echo "so: hold nvds_acquire_meta_lock() around every call that adds metadata, wherever another branch may have the same batch"
