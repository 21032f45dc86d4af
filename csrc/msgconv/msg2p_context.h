// SPDX-License-Identifier: Apache-2.0
// The object behind an NvDsMsg2pCtx of libnvds_msgconv.so. Its functions may be called from any
// thread; they wait for each other.
#ifndef DSMSG_MSGCONV_MSG2P_CONTEXT_H_
#define DSMSG_MSGCONV_MSG2P_CONTEXT_H_

#include <array>
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
#include "msgconv/meta_reader.h"
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
  /// About a frame without events, of which `head` says number, time and sensor.
  Result<Payloads> FromNoEvents(const NvDsEvent& head);
  Result<Payloads> FromFrame(const DsmsgFrame* frame, Want want);
  /// What DeepStream's element passes.
  Result<Payloads> FromMetaInfo(const NvDsMsg2pMetaInfo& info, Want want);

  /// DeepStream's structures make a message of a frame without objects, too.
  bool makes_empty_messages() const {
    return !full_ && deepstream_dialect_ == Dialect::kDeepStream;
  }

 private:
  Msg2pContext(std::shared_ptr<const ConvConfig> config, const ConverterOptions& options,
               const EventTail& tail);
  PayloadMaker* MakerOf(Dialect dialect);
  void Append(PayloadMaker* maker, Want want, Payloads* payloads);

  const std::shared_ptr<const ConvConfig> config_;
  const ConverterOptions options_;  // `dialect` means nothing here
  const bool full_;
  const Dialect deepstream_dialect_;  // of messages made of DeepStream's structures
  std::mutex mutex_;                  // guards all that follows
  std::array<std::unique_ptr<PayloadMaker>, 2> makers_;  // of each dialect, made when needed
  EventReader events_;
  MetaReader metas_;
  Frame frame_;
};

}  // namespace dsmsg::msgconv

#endif  // DSMSG_MSGCONV_MSG2P_CONTEXT_H_
