# SPDX-License-Identifier: Apache-2.0
"""`dsmsg view`: a page that shows what messages say, live.

`payloads` reads messages, `state` keeps the last of what they said, `pictures` reads the pictures
that they name, `places` has lines and zones, `server` serves the page, which is in `page/`.
"""
