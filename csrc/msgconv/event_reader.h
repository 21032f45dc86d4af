// SPDX-License-Identifier: Apache-2.0
// From DeepStream's events (NvDsEvent) to a Frame. One thread at a time.
#ifndef DSMSG_MSGCONV_EVENT_READER_H_
#define DSMSG_MSGCONV_EVENT_READER_H_

#include <deque>
#include <span>
#include <string>
#include <utility>

#include "core/base/status.h"
#include "msgconv/event_layout.h"
#include "msgconv/model.h"

namespace dsmsg::msgconv {

class EventReader {
 public:
  explicit EventReader(const EventTail& tail) : tail_(tail) {}

  /// Refills `frame`: an object for each event; source, number, sensor and the times of sources
  /// come from the first one.
  /// Text belongs to the events and to this reader: both must stay unchanged until the frame is
  /// rendered. An event without metadata is an error.
  Status Read(std::span<const NvDsEvent> events, Frame* frame);

  /// What a user should know about the events read since the last call; "" if nothing.
  std::string TakeNote() { return std::exchange(note_, {}); }

 private:
  void ReadEvent(const NvDsEventMsgMeta& meta, Frame* frame);
  void ReadTail(const char* meta, int object_type, Frame* frame, Object* object);
  bool IsInSpace(int object_type) const;
  void ReadTrack(const char* meta, Frame* frame, Object* object) const;
  void AddMeta(const NvDsEventMsgMeta& meta, Frame* frame, Object* object) const;
  void ReadClass(const char* ext, unsigned size, int object_type, Frame* frame);
  void AddNumber(const char* name, unsigned number, Frame* frame);

  const EventTail tail_;
  std::deque<std::string> texts_;
  std::string note_;
};

}  // namespace dsmsg::msgconv

#endif  // DSMSG_MSGCONV_EVENT_READER_H_
