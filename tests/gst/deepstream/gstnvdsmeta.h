/* SPDX-License-Identifier: Apache-2.0 */
/* See nvdsmeta.h. */
#ifndef DSMSG_TESTS_GSTNVDSMETA_H_
#define DSMSG_TESTS_GSTNVDSMETA_H_

#include <gst/gst.h>

#include "nvdsmeta.h"

typedef enum { NVDS_BATCH_GST_META = 4097 } GstNvDsMetaType;

typedef struct {
  GstMeta meta;
  void *meta_data, *user_data;
  gint meta_type;
  void* functions[4];
} NvDsMeta;

#endif /* DSMSG_TESTS_GSTNVDSMETA_H_ */
