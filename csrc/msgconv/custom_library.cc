// SPDX-License-Identifier: Apache-2.0
#include "msgconv/custom_library.h"

#include <dlfcn.h>
#include <glib.h>

namespace dsmsg::msgconv {
namespace {

constexpr int kFull = 0, kProtobuf = 2, kCustom = 256;

template <class Function>
bool Find(void* library, const char* name, Function** function) {
  *function = reinterpret_cast<Function*>(dlsym(library, name));
  return *function != nullptr;
}

// Types whose messages hold all objects of a frame.
bool HoldsFrame(int type) { return type > kFull && type < kCustom; }

// As DeepStream has it since 8.0.
struct MetaInfo {
  NvDsMsg2pMetaInfo info;
  void* datamap;
};

EventTail TailHere() {
  const Result<EventTail> tail = EventTailOf(FindDeepStream());
  return tail.ok() && tail->product >= 0 ? tail.value() : kTail7;
}

// Libraries know the custom type by one number; users may write either.
CustomOptions Normal(CustomOptions options) {
  if (options.type == NVDS_PAYLOAD_RESERVED) options.type = NVDS_PAYLOAD_CUSTOM;
  return options;
}

}  // namespace

CustomLibrary::CustomLibrary(void* library, CustomOptions options)
    : library_(library),
      options_(Normal(std::move(options))),
      frames_(options_.dialect),
      events_(TailHere()) {}

CustomLibrary::~CustomLibrary() {
  ReleaseAll();
  if (context_ != nullptr) api_.ctx_destroy(context_);
  dlclose(library_);
}

Result<std::unique_ptr<CustomLibrary>> CustomLibrary::Load(const CustomOptions& options) {
  if (options.library.empty()) {
    return Status(Code::kInvalidArgument,
                  "custom payloads are made by your own library: name it with msg2p-lib (it "
                  "exports the nvds_msg2p_* functions of nvmsgconv.h)");
  }
  dlerror();
  void* const handle = dlopen(options.library.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) {
    const char* const text = dlerror();
    return Status(Code::kInvalidArgument,
                  "cannot load the payload library " + options.library + ": " +
                      (text == nullptr ? "unknown error" : text) +
                      " (msg2p-lib is a path, or a name in the system's search path)");
  }
  std::unique_ptr<CustomLibrary> custom(new CustomLibrary(handle, options));
  if (Status status = custom->Resolve(); !status.ok()) return status;
  if (Status status = custom->MakeContext(); !status.ok()) return status;
  return custom;
}

Status CustomLibrary::Resolve() {
  std::string missing;
  const auto need = [&](bool found, const char* name) {
    if (!found) missing.append(missing.empty() ? "" : ", ").append(name);
  };
  need(Find(library_, "nvds_msg2p_ctx_create", &api_.ctx_create), "nvds_msg2p_ctx_create");
  need(Find(library_, "nvds_msg2p_ctx_destroy", &api_.ctx_destroy), "nvds_msg2p_ctx_destroy");
  need(Find(library_, "nvds_msg2p_release", &api_.release), "nvds_msg2p_release");
  Find(library_, "nvds_msg2p_generate", &api_.generate);
  Find(library_, "nvds_msg2p_generate_multiple", &api_.generate_multiple);
  Find(library_, "nvds_msg2p_generate_new", &api_.generate_new);
  Find(library_, "nvds_msg2p_generate_multiple_new", &api_.generate_frames);
  if (Find(library_, "dsmsg_msg2p_frame_version", &api_.frame_version)) {
    need(api_.generate_frames != nullptr, "nvds_msg2p_generate_multiple_new");
  } else {
    need(api_.generate != nullptr || api_.generate_multiple != nullptr,
         "nvds_msg2p_generate or nvds_msg2p_generate_multiple");
  }
  if (!missing.empty()) {
    return {Code::kInvalidArgument,
            options_.library + " is not a payload library: it lacks " + missing +
                " (nvmsgconv.h describes them; in C++ they need extern \"C\")"};
  }
  if (takes_frames() && api_.frame_version() < 1) {
    return {Code::kNotSupported, options_.library +
                                     " asks for frames of version 0: dsmsg_msg2p_frame_version() "
                                     "must return DSMSG_FRAME_VERSION"};
  }
  return {};
}

Status CustomLibrary::MakeContext() {
  const char* const config = options_.config.empty() ? nullptr : options_.config.c_str();
  context_ = api_.ctx_create(config, static_cast<NvDsPayloadType>(options_.type));
  if (context_ != nullptr) return {};
  return {Code::kInvalidArgument, "the payload library " + options_.library +
                                      " created no context: nvds_msg2p_ctx_create(" +
                                      (config == nullptr ? "NULL" : options_.config) + ", " +
                                      std::to_string(options_.type) +
                                      ") returned NULL (see its own messages; does it know this "
                                      "payload-type, and is the configuration right?)"};
}

Content CustomLibrary::content() const {
  if (options_.type >= kCustom) return Content::kUnknown;
  return options_.type == kProtobuf ? Content::kProtobuf : Content::kJson;
}

uint32_t CustomLibrary::ComponentId(const Frame&, size_t index) const {
  const NvDsPayload* const payload = index < payloads_.size() ? payloads_[index] : nullptr;
  return payload == nullptr || payload->componentId == 0 ? kAnyComponent : payload->componentId;
}

void CustomLibrary::ReleaseAll() {
  for (NvDsPayload* payload : payloads_) {
    if (payload != nullptr) api_.release(context_, payload);
  }
  payloads_.clear();
}

void CustomLibrary::Take(NvDsPayload** list, unsigned count) {
  if (list == nullptr) return;
  for (unsigned i = 0; i < count; ++i) {
    if (list[i] != nullptr) payloads_.push_back(list[i]);
  }
  g_free(list);
}

void CustomLibrary::FromFrame(const Frame& frame) {
  unsigned count = 0;
  // DeepStream's header lacks const here; nothing is written.
  auto* const c_frame = const_cast<DsmsgFrame*>(frames_.Make(frame));
  NvDsPayload** const list = api_.generate_frames(context_, c_frame, &count);
  Take(list, count);
}

void CustomLibrary::FromEvents(std::span<NvDsEvent> events) {
  // As DeepStream's element does: one call for a frame, or one for each object.
  const bool together = HoldsFrame(options_.type) && !options_.one_per_object;
  const size_t step = together ? events.size() : 1;
  for (size_t i = 0; i < events.size(); i += step) {
    const auto size = static_cast<unsigned>(step);
    if (api_.generate_multiple != nullptr &&
        (api_.generate == nullptr || options_.one_per_object)) {
      unsigned count = 0;
      NvDsPayload** const list = api_.generate_multiple(context_, &events[i], size, &count);
      Take(list, count);
    } else if (NvDsPayload* payload = api_.generate(context_, &events[i], size)) {
      payloads_.push_back(payload);
    }
  }
}

void CustomLibrary::FromMetadata(const void* frame_meta, const void* object_meta, bool sound) {
  std::string media = sound ? "audio" : "video";
  MetaInfo meta = {{const_cast<void*>(object_meta), const_cast<void*>(frame_meta), media.data()},
                   nullptr};
  if (api_.generate_frames != nullptr &&
      (api_.generate_new == nullptr || options_.one_per_object)) {
    unsigned count = 0;
    NvDsPayload** const list = api_.generate_frames(context_, &meta, &count);
    Take(list, count);
  } else if (NvDsPayload* payload = api_.generate_new(context_, &meta)) {
    payloads_.push_back(payload);
  }
}

size_t CustomLibrary::CountOf(const void* frame_meta, bool sound,
                              const std::vector<const unsigned char*>& objects) {
  ReleaseAll();
  if (HoldsFrame(options_.type)) {
    FromMetadata(frame_meta, nullptr, sound);
  } else {
    for (const auto* object : objects) FromMetadata(frame_meta, object, sound);
  }
  return payloads_.size();
}

size_t CustomLibrary::CountOf(std::span<NvDsEvent> events) {
  ReleaseAll();
  if (!events.empty()) FromEvents(events);
  return payloads_.size();
}

size_t CustomLibrary::Count(const Frame& frame) {
  ReleaseAll();
  if (!takes_frames()) {
    if (!frame.objects.empty()) FromEvents(events_.Make(frame));
  } else if (options_.one_per_object && HoldsFrame(options_.type)) {
    one_ = frame;
    for (const Object& object : frame.objects) {
      one_.objects.assign(1, object);
      FromFrame(one_);
    }
  } else {
    FromFrame(frame);
  }
  return payloads_.size();
}

std::string_view CustomLibrary::Render(const Frame&, size_t index) {
  const NvDsPayload* const payload = payloads_[index];
  if (payload->payload == nullptr) return {};
  return {static_cast<const char*>(payload->payload), payload->payloadSize};
}

}  // namespace dsmsg::msgconv
