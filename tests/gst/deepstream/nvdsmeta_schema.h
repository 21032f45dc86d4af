/* SPDX-License-Identifier: Apache-2.0 */
/* See nvdsmeta.h. The guard is DeepStream's: nvmsgconv.h looks for it. */
#ifndef NVDSMETA_H_
#define NVDSMETA_H_

#include <glib.h>
#include <stdint.h>

typedef enum { NVDS_EVENT_ENTRY } NvDsEventType;
typedef enum { NVDS_PAYLOAD_DEEPSTREAM } NvDsPayloadType;

typedef struct {
  gint* points;
  guint numFilled;
} NvDsConvexHull;

typedef struct {
  float boxes_3d[12], scores_3d;
  char *labels_3d, *embedding_filter;
  float cls_scores;
  guint instance_ids;
  void* instance_feats;
#if DSMSG_TEST_RELEASE >= 90
  char* ocr_label;
#endif
} NvDsBbox3dObject;

typedef struct {
  float ptWorldFeet[2], ptImgFeet[2];
#if DSMSG_TEST_RELEASE < 91
  float visibility;
#endif
  NvDsConvexHull convexHull;
#if DSMSG_TEST_RELEASE >= 80
  NvDsBbox3dObject bbox3d;
#endif
} NvDs3DTracking;

typedef struct {
  int type_and_more[36];
  char* sensorStr;
#if DSMSG_TEST_RELEASE >= 80
  char entries[100][136];
  int count;
  void *bbox3d, *llm;
  int num_interactions;
  void* interactions;
  int num_congestions;
  void* congestions;
  int num_fov;
  void *fov, *segmentation;
#endif
  char *otherAttrs, *videoPath;
  void* extMsg;
  guint extMsgSize;
#if DSMSG_TEST_RELEASE >= 70
  void* pose[2];
  void* embedding[2];
  bool has3DTracking;
  NvDs3DTracking singleView3DTracking;
#endif
#if DSMSG_TEST_RELEASE >= 91
  float visibility;
#endif
} NvDsEventMsgMeta;

typedef struct {
  NvDsEventType eventType;
  NvDsEventMsgMeta* metadata;
} NvDsEvent;

typedef struct {
  void* message;
  guint size;
} NvDsCustomMsgInfo;

typedef struct {
  void* payload;
  unsigned payloadSize, componentId;
} NvDsPayload;

#endif /* NVDSMETA_H_ */
