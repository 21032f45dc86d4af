/* SPDX-License-Identifier: Apache-2.0 */
/* See nvdsmeta.h. */
#ifndef DSMSG_TESTS_NVDS_AUDIO_META_H_
#define DSMSG_TESTS_NVDS_AUDIO_META_H_

#include "nvdsmeta.h"

typedef struct {
  NvDsBaseMeta base_meta;
  guint pad_index, batch_id;
  gint frame_num;
  guint64 buf_pts, ntp_timestamp;
  guint source_id, format[5];
  gboolean inferred;
  gint class_id;
  float confidence;
  char class_label[MAX_LABEL_SIZE];
  GList *classifier_meta_list, *frame_user_meta_list;
  gint64 misc[8];
} NvDsAudioFrameMeta;

#endif /* DSMSG_TESTS_NVDS_AUDIO_META_H_ */
