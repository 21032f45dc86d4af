// SPDX-License-Identifier: Apache-2.0
// The object behind an NvDsMsg2pCtx of libnvds_msgconv.so. Its functions may be called from any
// thread; they wait for each other.
#ifndef DSMSG_MSGCONV_MSG2P_CONTEXT_H_
#define DSMSG_MSGCONV_MSG2P_CONTEXT_H_

#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "core/base/log.h"
#include "core/base/status.h"
#include "dsmsg_frame.h"
#include "msgconv/converter.h"
#include "msgconv/event_reader.h"
#include "msgconv/frame_c.h"
#include "nvmsgconv.h"

namespace dsmsg::msgconv {

/// The log of the library: "msgconv: ...".
Logger& Msg2pLog();

/// A payload of g_malloc()ed parts, as hosts copy and free them.
NvDsPayload* MakePayload(std::string_view bytes, uint32_t component_id);
void FreePayload(NvDsPayload* payload);

class Msg2pContext {
 public:
  /// `file` may be nullptr or "".
  static Result<std::unique_ptr<Msg2pContext>> Create(const char* file, int type);

  enum class Want { kOne, kAll };
  using Payloads = std::vector<NvDsPayload*>;
  /// The caller owns the payloads. Empty if there is nothing to report; an error if an argument is
  /// wrong.
  Result<Payloads> FromEvents(std::span<const NvDsEvent> events, Want want);
  Result<Payloads> FromFrame(const DsmsgFrame* frame, Want want);

 private:
  Msg2pContext(std::shared_ptr<const ConvConfig> config, const ConverterOptions& options,
               const EventTail& tail)
      : full_(options.type == PayloadType::kFull),
        converter_(std::move(config), options),
        events_(tail) {}
  void Render(Want want, Payloads* payloads);

  const bool full_;
  std::mutex mutex_;  // guards all that follows
  Converter converter_;
  EventReader events_;
  Frame frame_;
};

}  // namespace dsmsg::msgconv

#endif  // DSMSG_MSGCONV_MSG2P_CONTEXT_H_
