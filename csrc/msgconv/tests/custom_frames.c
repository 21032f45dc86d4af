/* SPDX-License-Identifier: Apache-2.0 */
/* A payload library that takes frames: the class names of all objects, and one message more. With
 * CUSTOM_INCOMPLETE it lacks a function. */
#include <stdlib.h>
#include <string.h>

#include "dsmsg_frame.h"
#include "nvmsgconv.h"

unsigned dsmsg_msg2p_frame_version(void) { return DSMSG_FRAME_VERSION; }

NvDsMsg2pCtx* nvds_msg2p_ctx_create(const char* file, NvDsPayloadType type) {
  NvDsMsg2pCtx* ctx = calloc(1, sizeof(*ctx));
  (void)file;
  if (ctx != NULL) ctx->payloadType = type;
  return ctx;
}

void nvds_msg2p_ctx_destroy(NvDsMsg2pCtx* ctx) { free(ctx); }

void nvds_msg2p_release(NvDsMsg2pCtx* ctx, NvDsPayload* payload) {
  (void)ctx;
  free(payload->payload);
  free(payload);
}

#ifndef CUSTOM_INCOMPLETE
static NvDsPayload* Payload(const char* text) {
  NvDsPayload* payload = calloc(1, sizeof(*payload));
  if (payload == NULL) return NULL;
  payload->payload = strdup(text);
  payload->payloadSize = (unsigned)strlen(text);
  return payload;
}

NvDsPayload** nvds_msg2p_generate_multiple_new(NvDsMsg2pCtx* ctx, void* metadata_info,
                                               unsigned* payload_count) {
  const DsmsgFrame* frame = metadata_info;
  NvDsPayload** list = calloc(2, sizeof(*list));
  char text[256] = "";
  uint32_t i;
  (void)ctx;
  if (list == NULL) return NULL;
  for (i = 0; i < frame->object_count; ++i) {
    strncat(text, DSMSG_FRAME_OBJECT(frame, i)->label, 20);
    strncat(text, ";", 2);
  }
  list[0] = Payload(text);
  list[1] = Payload("end");
  *payload_count = 2;
  return list;
}
#endif
