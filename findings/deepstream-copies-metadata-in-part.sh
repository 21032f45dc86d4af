#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A copy of a buffer with DeepStream's batch metadata (gst_buffer_copy, which every element makes that needs a writable buffer that
# others hold, too) is not the same metadata: objects stand the other way around and have no parents, classifiers lose their type,
# and the frame loses the size of the muxer's pictures, by which boxes are scaled.
source "$(dirname "$0")/common.bash"

python_with nvidia-deepstream-videodecode-cu13==9.0.2
expect "the copy says what the original says"
LD_LIBRARY_PATH=$(echo "$work"/venv/lib/python3*/site-packages/nvidia/deepstream_videodecode/_libs)
export LD_LIBRARY_PATH

run_python <<'PYTHON'
import ctypes
import sys

meta = ctypes.CDLL("libnvds_meta.so", mode=ctypes.RTLD_GLOBAL)
nvds_gst = ctypes.CDLL("libnvdsgst_meta.so")
gst = ctypes.CDLL("libgstreamer-1.0.so.0")


def call(library, name, *arguments, result=ctypes.c_void_p):
    function = getattr(library, name)
    function.restype = result
    function.argtypes = [ctypes.c_void_p] * len(arguments)
    return function(*arguments)


def field(kind, address, offset):  # offsets of DeepStream 9.0's headers
    return kind.from_address(address + offset)


def pointer(address, offset):
    return field(ctypes.c_uint64, address, offset).value


def elements(node):
    found = []
    while node:
        found.append(pointer(node, 0))
        node = pointer(node, 8)
    return found


def described(batch):
    (frame,) = elements(pointer(batch, 96))
    objects = elements(pointer(frame, 104))
    types = []
    for each in objects:
        for classifier in elements(pointer(each, 472)):
            name = pointer(classifier, 56)
            types.append(ctypes.string_at(name).decode() if name else None)
    return {
        "ids": [pointer(each, 56) for each in objects],
        "objects with a parent": sum(bool(pointer(each, 40)) for each in objects),
        "types of classifiers": types,
        "muxer's size": [field(ctypes.c_uint, frame, at).value for at in (160, 164)],
    }


call(gst, "gst_init", None, None)
batch = call(meta, "nvds_create_batch_meta", 1)
field(ctypes.c_uint, batch, 40).value = 1
frame = call(meta, "nvds_acquire_frame_meta_from_pool", batch)
field(ctypes.c_uint, frame, 160).value, field(ctypes.c_uint, frame, 164).value = 1920, 1080
call(meta, "nvds_add_frame_meta_to_batch", batch, frame)
color = ctypes.create_string_buffer(b"color")
parent = None
for number in (1, 2, 3):
    each = call(meta, "nvds_acquire_obj_meta_from_pool", batch)
    field(ctypes.c_uint64, each, 56).value = number
    call(meta, "nvds_add_obj_meta_to_frame", frame, each, parent)
    parent = each
classifier = call(meta, "nvds_acquire_classifier_meta_from_pool", batch)
field(ctypes.c_uint64, classifier, 56).value = ctypes.addressof(color)
call(meta, "nvds_add_classifier_meta_to_object", parent, classifier)

buffer = call(gst, "gst_buffer_new")
address = [ctypes.cast(getattr(meta, f"nvds_batch_meta_{what}_func"), ctypes.c_void_p) for what in ("copy", "release")]
attached = call(nvds_gst, "gst_buffer_add_nvds_meta", buffer, batch, None, *address)
field(ctypes.c_int, attached, 32).value = 4097
copy = call(gst, "gst_mini_object_copy", buffer)
copied = call(nvds_gst, "gst_buffer_get_nvds_batch_meta", copy)
before, after = described(batch), described(copied)
print("original:", before)
print("copy:    ", after)
sys.exit(
    0
    if before
    == {
        "ids": [3, 2, 1],
        "objects with a parent": 2,
        "types of classifiers": ["color"],
        "muxer's size": [1920, 1080],
    }
    and after
    == {
        "ids": [1, 2, 3],
        "objects with a parent": 0,
        "types of classifiers": [None],
        "muxer's size": [0, 0],
    }
    else 1
)
PYTHON
echo "so: read metadata before an element that copies buffers; behind it, take the muxer's size from the caps"
