/* SPDX-License-Identifier: Apache-2.0 */
/* A payload library as one writes it for DeepStream: a line of text for the events it is given. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nvmsgconv.h"

static int contexts, payloads;

/* For the test: what is not freed. */
int custom_events_open(void) { return contexts * 1000 + payloads; }

NvDsMsg2pCtx* nvds_msg2p_ctx_create(const char* file, NvDsPayloadType type) {
  NvDsMsg2pCtx* ctx;
  if (file != NULL && strcmp(file, "wrong") == 0) return NULL;
  ctx = calloc(1, sizeof(*ctx));
  if (ctx == NULL) return NULL;
  ctx->payloadType = type;
  ++contexts;
  return ctx;
}

void nvds_msg2p_ctx_destroy(NvDsMsg2pCtx* ctx) {
  free(ctx);
  --contexts;
}

NvDsPayload* nvds_msg2p_generate(NvDsMsg2pCtx* ctx, NvDsEvent* events, unsigned size) {
  const NvDsEventMsgMeta* first = events[0].metadata;
  NvDsPayload* payload;
  char text[200];
  int length;
  if (*first->objectId == '\0' || strcmp(first->objectId, "nothing") == 0) return NULL;
  length = snprintf(text, sizeof(text), "%d %u %s %d %s", (int)ctx->payloadType, size,
                    first->objectId, first->sensorId, first->videoPath);
  payload = calloc(1, sizeof(*payload));
  if (payload == NULL) return NULL;
  payload->payload = malloc((size_t)length);
  if (payload->payload != NULL) memcpy(payload->payload, text, (size_t)length);
  payload->payloadSize = (unsigned)length;
  payload->componentId = 7;
  ++payloads;
  return payload;
}

void nvds_msg2p_release(NvDsMsg2pCtx* ctx, NvDsPayload* payload) {
  (void)ctx;
  free(payload->payload);
  free(payload);
  --payloads;
}
