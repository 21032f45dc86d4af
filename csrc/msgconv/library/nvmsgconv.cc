// SPDX-License-Identifier: Apache-2.0
// libnvds_msgconv.so: argument checks and exception barrier.
#include "nvmsgconv.h"

#include <glib.h>

#include <algorithm>

#include "core/base/guard.h"
#include "dsmsg_frame.h"
#include "msgconv/msg2p_context.h"

#define DSMSG_EXPORT extern "C" __attribute__((visibility("default")))

namespace {

using dsmsg::Result;
using dsmsg::msgconv::Msg2pContext;
using dsmsg::msgconv::Msg2pLog;
using Payloads = Msg2pContext::Payloads;
using Want = Msg2pContext::Want;

// Rate-limited, because a host may repeat a wrong call for every frame.
void Refuse(const char* function, const std::string& reason) {
  const std::string line = std::string(function) + ": " + reason;
  Msg2pLog().Limited(dsmsg::LogLevel::kError, line, line);
}

template <class Body>
auto Guard(const char* function, Body body) noexcept {
  using Answer = decltype(body());
  return dsmsg::Guarded(Answer{}, body, [&](const char* what) { Refuse(function, what); });
}

constexpr const char* kNoContext =
    "the context is NULL or not from this library: pass what nvds_msg2p_ctx_create() returned";

Msg2pContext* ContextOf(const char* function, const NvDsMsg2pCtx* ctx) {
  if (ctx != nullptr && ctx->privData != nullptr) return static_cast<Msg2pContext*>(ctx->privData);
  Refuse(function, kNoContext);
  return nullptr;
}

// DeepStream's element asks for a message about a frame without events with a size of 0, and lets
// the first element describe the frame.
bool EventsAreThere(const char* function, const Msg2pContext& context, const NvDsEvent* events,
                    unsigned size) {
  if (events != nullptr && (size > 0 || context.makes_empty_messages())) return true;
  Refuse(
      function,
      events == nullptr
          ? "the list of events is NULL"
          : "the list of events is empty (size=0): do not call it when there is nothing to report");
  return false;
}

// A host's description of a frame: a DsmsgFrame begins with a number that is no address.
Result<Payloads> FromMetadata(Msg2pContext* context, const void* metadata_info, Want want) {
  if (metadata_info == nullptr) {
    return dsmsg::Status(dsmsg::Code::kInvalidArgument,
                         "metadata_info is NULL: pass a DsmsgFrame or an NvDsMsg2pMetaInfo");
  }
  const auto* const frame = static_cast<const DsmsgFrame*>(metadata_info);
  if (frame->magic == DSMSG_FRAME_MAGIC) return context->FromFrame(frame, want);
  return context->FromMetaInfo(*static_cast<const NvDsMsg2pMetaInfo*>(metadata_info), want);
}

Result<Payloads> FromEvents(Msg2pContext* context, const NvDsEvent* events, unsigned size,
                            Want want) {
  return size == 0 ? context->FromNoEvents(*events) : context->FromEvents({events, size}, want);
}

NvDsPayload* First(const char* function, Result<Payloads> payloads) {
  if (payloads.ok()) return payloads->empty() ? nullptr : payloads->front();
  Refuse(function, payloads.status().message());
  return nullptr;
}

NvDsPayload** All(const char* function, Result<Payloads> payloads, unsigned* count) {
  if (!payloads.ok()) {
    Refuse(function, payloads.status().message());
    return nullptr;
  }
  if (payloads->empty()) return nullptr;
  auto** const list =
      static_cast<NvDsPayload**>(g_malloc0_n(payloads->size(), sizeof(NvDsPayload*)));
  std::copy(payloads->begin(), payloads->end(), list);
  *count = static_cast<unsigned>(payloads->size());
  return list;
}

bool CountIsThere(const char* function, unsigned* count) {
  if (count == nullptr) {
    Refuse(function, "the pointer to the number of payloads is NULL");
    return false;
  }
  *count = 0;
  return true;
}

}  // namespace

DSMSG_EXPORT NvDsMsg2pCtx* nvds_msg2p_ctx_create(const char* file, NvDsPayloadType type) {
  constexpr const char* kName = "nvds_msg2p_ctx_create";
  return Guard(kName, [&]() -> NvDsMsg2pCtx* {
    auto context = Msg2pContext::Create(file, static_cast<int>(type));
    if (!context.ok()) {
      Msg2pLog().Error(std::string(kName) + ": " + context.status().message());
      return nullptr;
    }
    auto* const ctx = static_cast<NvDsMsg2pCtx*>(g_malloc0(sizeof(NvDsMsg2pCtx)));
    ctx->payloadType = type;
    ctx->privData = context.value().release();
    return ctx;
  });
}

DSMSG_EXPORT void nvds_msg2p_ctx_destroy(NvDsMsg2pCtx* ctx) {
  if (ctx == nullptr) return;
  delete static_cast<Msg2pContext*>(ctx->privData);
  ctx->privData = nullptr;
  g_free(ctx);
}

DSMSG_EXPORT NvDsPayload* nvds_msg2p_generate(NvDsMsg2pCtx* ctx, NvDsEvent* events, unsigned size) {
  constexpr const char* kName = "nvds_msg2p_generate";
  return Guard(kName, [&]() -> NvDsPayload* {
    Msg2pContext* const context = ContextOf(kName, ctx);
    if (context == nullptr || !EventsAreThere(kName, *context, events, size)) return nullptr;
    return First(kName, FromEvents(context, events, size, Want::kOne));
  });
}

DSMSG_EXPORT NvDsPayload** nvds_msg2p_generate_multiple(NvDsMsg2pCtx* ctx, NvDsEvent* events,
                                                        unsigned size, unsigned* payload_count) {
  constexpr const char* kName = "nvds_msg2p_generate_multiple";
  return Guard(kName, [&]() -> NvDsPayload** {
    if (!CountIsThere(kName, payload_count)) return nullptr;
    Msg2pContext* const context = ContextOf(kName, ctx);
    if (context == nullptr || !EventsAreThere(kName, *context, events, size)) return nullptr;
    return All(kName, FromEvents(context, events, size, Want::kAll), payload_count);
  });
}

DSMSG_EXPORT NvDsPayload* nvds_msg2p_generate_new(NvDsMsg2pCtx* ctx, void* metadata_info) {
  constexpr const char* kName = "nvds_msg2p_generate_new";
  return Guard(kName, [&]() -> NvDsPayload* {
    Msg2pContext* const context = ContextOf(kName, ctx);
    if (context == nullptr) return nullptr;
    return First(kName, FromMetadata(context, metadata_info, Want::kOne));
  });
}

DSMSG_EXPORT NvDsPayload** nvds_msg2p_generate_multiple_new(NvDsMsg2pCtx* ctx, void* metadata_info,
                                                            unsigned* payload_count) {
  constexpr const char* kName = "nvds_msg2p_generate_multiple_new";
  return Guard(kName, [&]() -> NvDsPayload** {
    if (!CountIsThere(kName, payload_count)) return nullptr;
    Msg2pContext* const context = ContextOf(kName, ctx);
    if (context == nullptr) return nullptr;
    return All(kName, FromMetadata(context, metadata_info, Want::kAll), payload_count);
  });
}

DSMSG_EXPORT void nvds_msg2p_release(NvDsMsg2pCtx*, NvDsPayload* payload) {
  dsmsg::msgconv::FreePayload(payload);
}

DSMSG_EXPORT unsigned dsmsg_msg2p_frame_version(void) { return DSMSG_FRAME_VERSION; }
