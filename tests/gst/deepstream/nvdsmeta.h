/* SPDX-License-Identifier: Apache-2.0 */
/* Replaces DeepStream's headers in the test of csrc/gst/deepstream_check.cc: the names that
 * it looks at, in structures of the same layout. DSMSG_TEST_RELEASE: 60, 70, 80, 90 or 91. */
#ifndef DSMSG_TESTS_NVDSMETA_H_
#define DSMSG_TESTS_NVDSMETA_H_

#include <glib.h>

#define MAX_LABEL_SIZE 128
#define UNTRACKED_OBJECT_ID 0xFFFFFFFFFFFFFFFF

typedef enum {
  NVDS_BATCH_META = 1,
  NVDS_FRAME_META,
  NVDS_OBJ_META,
  NVDS_DISPLAY_META,
  NVDS_CLASSIFIER_META,
  NVDS_LABEL_INFO_META,
  NVDS_USER_META,
  NVDS_PAYLOAD_META,
  NVDS_EVENT_MSG_META,
#if DSMSG_TEST_RELEASE >= 80
  NVDS_AUDIO_BATCH_META = 25,
  NVDS_AUDIO_FRAME_META,
  NVDS_CUSTOM_MSG_BLOB = 29
#elif DSMSG_TEST_RELEASE >= 70
  NVDS_AUDIO_BATCH_META = 24,
  NVDS_AUDIO_FRAME_META,
  NVDS_CUSTOM_MSG_BLOB = 28
#else
  NVDS_AUDIO_BATCH_META = 16,
  NVDS_AUDIO_FRAME_META,
  NVDS_CUSTOM_MSG_BLOB = 20
#endif
} NvDsMetaType;

typedef struct {
  NvDsMetaType meta_type;
  guint max_elements_in_pool, element_size, empty, full;
} NvDsMetaPool;

typedef struct {
  void* batch_meta;
  NvDsMetaType meta_type;
  void *context, *copy, *release;
} NvDsBaseMeta;

typedef struct {
  NvDsBaseMeta base_meta;
  guint max_frames_in_batch, num_frames_in_batch;
  NvDsMetaPool *frame_meta_pool, *obj_meta_pool, *pools[4];
  GList *frame_meta_list, *batch_user_meta_list;
} NvDsBatchMeta;

typedef struct {
  guint source_id;
  const char *uri, *sensor_id, *sensor_name;
} NvDsSensorInfo_meta;

typedef struct {
  NvDsBaseMeta base_meta;
  guint pad_index, batch_id;
  gint frame_num;
  guint64 buf_pts, ntp_timestamp;
  guint source_id;
  gint surfaces;
  guint source_frame_width, source_frame_height, surface[2], num_obj_meta;
  gboolean inferred;
  GList *obj_meta_list, *display_meta_list, *frame_user_meta_list;
  gint64 misc[4];
  guint pipeline_width, pipeline_height;
#if DSMSG_TEST_RELEASE >= 80
  NvDsSensorInfo_meta sensorInfo_meta;
#endif
  gint64 reserved[4];
} NvDsFrameMeta;

typedef struct {
  float left, top, width, height;
  double rest[11];
#if DSMSG_TEST_RELEASE >= 90
  float rotation_angle;
#endif
} NvOSD_RectParams;

typedef struct {
  float* data;
  guint size;
  float threshold;
  guint width, height;
} NvOSD_MaskParams;

typedef struct {
  NvDsBaseMeta base_meta;
  void* parent;
  gint unique_component_id, class_id;
  guint64 object_id;
  float boxes[8], confidence, tracker_confidence;
  NvOSD_RectParams rect_params;
  NvOSD_MaskParams mask_params;
  double text_params[13];
  char obj_label[MAX_LABEL_SIZE];
  GList *classifier_meta_list, *obj_user_meta_list;
  gint64 misc[8];
} NvDsObjectMeta;

typedef struct {
  NvDsBaseMeta base_meta;
  guint num_labels;
  gint unique_component_id;
  GList* label_info_list;
  const char* classifier_type;
} NvDsClassifierMeta;

typedef struct {
  NvDsBaseMeta base_meta;
  guint num_classes;
  char result_label[MAX_LABEL_SIZE];
  char* pResult_label;
  guint result_class_id, label_id;
  float result_prob;
} NvDsLabelInfo;

typedef struct {
  NvDsBaseMeta base_meta;
  void* user_meta_data;
} NvDsUserMeta;

#endif /* DSMSG_TESTS_NVDSMETA_H_ */
