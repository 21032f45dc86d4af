// SPDX-License-Identifier: Apache-2.0
// Messages made by a library that the user names (`msg2p-lib`): one with the nvds_msg2p_* functions
// of nvmsgconv.h, ours or a third party's.
//
// It gets the frame (dsmsg_frame.h) if it exports dsmsg_msg2p_frame_version(), otherwise
// DeepStream's events, one for each object. One thread at a time.
#ifndef DSMSG_MSGCONV_CUSTOM_LIBRARY_H_
#define DSMSG_MSGCONV_CUSTOM_LIBRARY_H_

#include <memory>
#include <string>
#include <vector>

#include "core/base/status.h"
#include "dsmsg_frame.h"
#include "msgconv/event_writer.h"
#include "msgconv/frame_c.h"
#include "msgconv/payload_maker.h"
#include "nvmsgconv.h"

namespace dsmsg::msgconv {

struct CustomOptions {
  std::string library;          // path, or a name that the system's search finds
  std::string config;           // for the library; "": none
  int type = 257;               // as the user set payload-type; 256 becomes 257
  bool one_per_object = false;  // types that hold a frame's objects together: one for each instead
  Dialect dialect = Dialect::kDsmsg;  // asked of libraries that take frames
};

class CustomLibrary final : public PayloadMaker {
 public:
  /// Loads the library, checks its functions and creates a context. An error says which file, which
  /// function, or that the library refused the configuration.
  static Result<std::unique_ptr<CustomLibrary>> Load(const CustomOptions& options);
  ~CustomLibrary() override;

  size_t Count(const Frame& frame) override;
  std::string_view Render(const Frame& frame, size_t index) override;
  Content content() const override;
  uint32_t ComponentId(const Frame& frame, size_t index) const override;

  /// It takes frames instead of DeepStream's events.
  bool takes_frames() const { return api_.frame_version != nullptr; }

 private:
  struct Api {
    decltype(&nvds_msg2p_ctx_create) ctx_create = nullptr;
    decltype(&nvds_msg2p_ctx_destroy) ctx_destroy = nullptr;
    decltype(&nvds_msg2p_release) release = nullptr;
    decltype(&nvds_msg2p_generate) generate = nullptr;                      // or nullptr
    decltype(&nvds_msg2p_generate_multiple) generate_multiple = nullptr;    // or nullptr
    decltype(&nvds_msg2p_generate_multiple_new) generate_frames = nullptr;  // or nullptr
    decltype(&dsmsg_msg2p_frame_version) frame_version = nullptr;           // or nullptr
  };

  CustomLibrary(void* library, CustomOptions options);
  Status Resolve();
  Status MakeContext();
  void ReleaseAll();
  void FromEvents(const Frame& frame);
  void FromFrame(const Frame& frame);
  void Take(NvDsPayload** list, unsigned count);

  void* const library_;  // of dlopen
  const CustomOptions options_;
  Api api_;
  NvDsMsg2pCtx* context_ = nullptr;
  std::vector<NvDsPayload*> payloads_;  // of the frame at hand
  FrameExport frames_;
  EventWriter events_;
  Frame one_;  // of one object, for libraries that put all into one message
};

}  // namespace dsmsg::msgconv

#endif  // DSMSG_MSGCONV_CUSTOM_LIBRARY_H_
