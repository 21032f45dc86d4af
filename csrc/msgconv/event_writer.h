// SPDX-License-Identifier: Apache-2.0
// From a Frame to DeepStream's events, for payload libraries that were written for DeepStream.
//
// Such a library was compiled for one release, and there is no way to tell which. The parts of the
// structure that differ do not overlap, so each event contains both forms: that of 6.0 to 7.0, and
// that of 8.0 and later, whose list of sources is in the first one's place. So the list has a count
// of 0 unless DeepStream 8.0 or later is in the process, which also says where tracking in space
// is. One thread at a time.
#ifndef DSMSG_MSGCONV_EVENT_WRITER_H_
#define DSMSG_MSGCONV_EVENT_WRITER_H_

#include <array>
#include <memory>
#include <vector>

#include "msgconv/arena.h"
#include "msgconv/event_layout.h"
#include "msgconv/findings_writer.h"
#include "msgconv/identity.h"
#include "msgconv/model.h"

namespace dsmsg::msgconv {

class EventWriter {
 public:
  /// `tail`: of the DeepStream in the process.
  explicit EventWriter(const EventTail& tail) : tail_(tail) {}
  EventWriter(const EventWriter&) = delete;
  EventWriter& operator=(const EventWriter&) = delete;

  /// An event for each object, valid until the next call. Lists without text are borrowed from
  /// `frame`.
  std::span<NvDsEvent> Make(const Frame& frame);

 private:
  struct alignas(16) Block {
    std::array<char, kEventBytes> bytes{};
  };
  struct Class {
    int object_type = NVDS_OBJECT_TYPE_UNKNOWN;
    void* data = nullptr;
    size_t size = 0;
  };
  void Fill(const Frame& frame, const Object& object, Block* block);
  void FillRecent(const Frame& frame, const Object& object, const NvDs3DTracking& track,
                  char* bytes);
  Class MakeClass(const Frame& frame, const Object& object);
  Class MakeBox3d(const Frame& frame, const Object& object);
  NvDs3DTracking MakeTrack(const Frame& frame, const Object& object);
  struct _GList* MakeMask(const Frame& frame, const Object& object);
  NvDsJoints MakePose(const Frame& frame, const Object& object);

  const EventTail tail_;
  Arena arena_;
  FindingsWriter findings_{&arena_};
  TimeFormatter time_;
  std::vector<std::unique_ptr<Block>> blocks_;
  std::vector<NvDsEvent> events_;
};

}  // namespace dsmsg::msgconv

#endif  // DSMSG_MSGCONV_EVENT_WRITER_H_
