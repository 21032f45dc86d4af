// SPDX-License-Identifier: Apache-2.0
// The element dsmsgbroker (nvmsgbroker in the compat plugin): a sink that hands payloads to a
// protocol adaptor.
#ifndef DSMSG_GST_DSMSGBROKER_H_
#define DSMSG_GST_DSMSGBROKER_H_

#include <gst/gst.h>

/// The element's type, registered on first use. Any thread.
GType dsmsg_broker_get_type();

/// Registers the element under `name`. Called from a plugin's init function.
bool dsmsg_broker_register(GstPlugin* plugin, const char* name);

#endif  // DSMSG_GST_DSMSGBROKER_H_
