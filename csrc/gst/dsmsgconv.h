// SPDX-License-Identifier: Apache-2.0
// The element dsmsgconv (nvmsgconv in the compat plugin): makes messages from the detections on a
// buffer and attaches them to it (payload_meta.h). The buffer's data passes through untouched and
// uncopied.
#ifndef DSMSG_GST_DSMSGCONV_H_
#define DSMSG_GST_DSMSGCONV_H_

#include <gst/gst.h>

/// The element's type, registered on first use. Any thread.
GType dsmsg_conv_get_type();

/// Registers the element under `name`. Called from a plugin's init function.
bool dsmsg_conv_register(GstPlugin* plugin, const char* name);

#endif  // DSMSG_GST_DSMSGCONV_H_
