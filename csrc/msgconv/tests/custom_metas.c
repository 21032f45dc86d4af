/* SPDX-License-Identifier: Apache-2.0 */
/* A payload library as one writes it for DeepStream 9: it tells what it was given. */
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nvmsgconv.h"

static NvDsPayload* text(const char* format, ...) {
  NvDsPayload* payload = calloc(1, sizeof(*payload));
  char all[200];
  va_list arguments;
  if (payload == NULL) return NULL;
  va_start(arguments, format);
  payload->payloadSize = (unsigned)vsnprintf(all, sizeof(all), format, arguments);
  va_end(arguments);
  payload->payload = malloc(payload->payloadSize);
  if (payload->payload != NULL) memcpy(payload->payload, all, payload->payloadSize);
  return payload;
}

NvDsMsg2pCtx* nvds_msg2p_ctx_create(const char* file, NvDsPayloadType type) {
  NvDsMsg2pCtx* ctx = calloc(1, sizeof(*ctx));
  (void)file;
  if (ctx != NULL) ctx->payloadType = type;
  return ctx;
}

void nvds_msg2p_ctx_destroy(NvDsMsg2pCtx* ctx) { free(ctx); }

NvDsPayload* nvds_msg2p_generate(NvDsMsg2pCtx* ctx, NvDsEvent* events, unsigned size) {
  (void)ctx;
  return text("%u events %d %lx", size, (int)events[0].eventType,
              (unsigned long)(uintptr_t)events[0].metadata);
}

NvDsPayload* nvds_msg2p_generate_new(NvDsMsg2pCtx* ctx, void* metadata_info) {
  const NvDsMsg2pMetaInfo* info = metadata_info;
  (void)ctx;
  return text("%s %lx %lx", info->mediaType, (unsigned long)(uintptr_t)info->frameMeta,
              (unsigned long)(uintptr_t)info->objMeta);
}

void nvds_msg2p_release(NvDsMsg2pCtx* ctx, NvDsPayload* payload) {
  (void)ctx;
  free(payload->payload);
  free(payload);
}
