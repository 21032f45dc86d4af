#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# GStreamer's jpegenc writes the levels of video (16 to 235) into a JPEG, whose readers take them for 0 to 255: black becomes dark grey,
# white light grey. What a decoder or a camera delivers as I420 has these levels; after a conversion to RGB the picture is right.
source "$(dirname "$0")/common.bash"

python_with pillow==11.3.0
gst-launch-1.0 --version | sed -n 2p
expect "black and white of a video are black (0) and white (255) in the JPEG"

# picture PATTERN FORMAT: the level of one frame, read by another library.
picture() {
  gst-launch-1.0 -q videotestsrc num-buffers=1 pattern="$1" ! "video/x-raw,format=I420,width=64,height=64,colorimetry=bt601" \
    ! videoconvert ! "video/x-raw,format=$2" ! jpegenc quality=100 ! filesink location="$work/picture.jpg"
  run_python "$work/picture.jpg" <<'PYTHON'
import sys

from PIL import Image

print(Image.open(sys.argv[1]).convert("RGB").getpixel((32, 32))[1])
PYTHON
}

direct="$(picture black I420) $(picture white I420)"
converted="$(picture black RGB) $(picture white RGB)"
echo "seen: black and white, from I420: $direct; converted to RGB before: $converted"
read -r black white <<<"$converted"
[[ $direct == "16 235" ]] && ((black < 4 && white > 250))
echo "so: put videoconvert ! video/x-raw,format=RGB in front of jpegenc"
