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

  /// Fills `frame` anew: an object for each event; source, number and sensor are the first one's.
  /// Text is that of the events and of this reader: both stay as they are until the frame is
  /// rendered. An event without metadata is an error.
  Status Read(std::span<const NvDsEvent> events, Frame* frame);

  /// Things about the events read since the last call that a user should know; "" if none.
  std::string TakeNote() { return std::exchange(note_, {}); }

 private:
  void ReadEvent(const NvDsEventMsgMeta& meta, Frame* frame);
  void ReadTail(const char* meta, int object_type, Frame* frame, Object* object);
  void ReadClass(const char* ext, unsigned size, int object_type, Frame* frame);
  void AddNumber(const char* name, unsigned number, Frame* frame);

  const EventTail tail_;
  std::deque<std::string> texts_;
  std::string note_;
};

}  // namespace dsmsg::msgconv

#endif  // DSMSG_MSGCONV_EVENT_READER_H_
