// SPDX-License-Identifier: Apache-2.0
// Messages made by a library that the user names (`msg2p-lib`): one with the nvds_msg2p_* functions
// of nvmsgconv.h, ours or a third party's.
//
// It gets the frame (dsmsg_frame.h) if it exports dsmsg_msg2p_frame_version(), otherwise
// DeepStream's events, one for each object. What DeepStream itself attached, such a library can
// read where it is: CountOf(). One thread at a time.
#ifndef DSMSG_MSGCONV_CUSTOM_LIBRARY_H_
#define DSMSG_MSGCONV_CUSTOM_LIBRARY_H_

#include <memory>
#include <span>
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
  /// It takes DeepStream's frames themselves.
  bool takes_metadata() const {
    return !takes_frames() && (api_.generate_new != nullptr || api_.generate_frames != nullptr);
  }
  /// As Count(), of DeepStream's own structures, as its element passes them: a frame with its
  /// objects; events.
  size_t CountOf(const void* frame_meta, bool sound,
                 const std::vector<const unsigned char*>& objects);
  size_t CountOf(std::span<NvDsEvent> events);

 private:
  struct Api {
    decltype(&nvds_msg2p_ctx_create) ctx_create = nullptr;
    decltype(&nvds_msg2p_ctx_destroy) ctx_destroy = nullptr;
    decltype(&nvds_msg2p_release) release = nullptr;
    decltype(&nvds_msg2p_generate) generate = nullptr;                      // or nullptr
    decltype(&nvds_msg2p_generate_multiple) generate_multiple = nullptr;    // or nullptr
    decltype(&nvds_msg2p_generate_new) generate_new = nullptr;              // or nullptr
    decltype(&nvds_msg2p_generate_multiple_new) generate_frames = nullptr;  // or nullptr
    decltype(&dsmsg_msg2p_frame_version) frame_version = nullptr;           // or nullptr
  };

  CustomLibrary(void* library, CustomOptions options);
  Status Resolve();
  Status MakeContext();
  void ReleaseAll();
  void FromEvents(std::span<NvDsEvent> events);
  void FromMetadata(const void* frame_meta, const void* object_meta, bool sound);
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
