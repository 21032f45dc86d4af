// SPDX-License-Identifier: Apache-2.0
// libgstnvmsgcompat.so: our elements under the names of DeepStream's.
#include <gst/gst.h>

#include "gst/dsmsgbroker.h"
#include "gst/dsmsgconv.h"

#define PACKAGE "dsmsg"

static gboolean Init(GstPlugin* plugin) {
  return dsmsg_broker_register(plugin, "nvmsgbroker") && dsmsg_conv_register(plugin, "nvmsgconv");
}

GST_PLUGIN_DEFINE(GST_VERSION_MAJOR, GST_VERSION_MINOR, nvmsgcompat,
                  "Video analytics to message brokers", Init, DSMSG_VERSION, "Apache 2.0", "dsmsg",
                  "Unknown package origin")
