// SPDX-License-Identifier: Apache-2.0
// Reads what DeepStream's events (8.0 and later) say about the scene beside their object: objects
// that were counted, that interact or crowd a place, a segmentation, and what a language model
// answered. Plain functions; one thread at a time.
#ifndef DSMSG_MSGCONV_FINDINGS_READER_H_
#define DSMSG_MSGCONV_FINDINGS_READER_H_

#include <cstdint>

#include "msgconv/model.h"

namespace dsmsg::msgconv {

/// Appends what `event` (NvDsEventMsgMeta) has. Texts belong to the event. False: a list of it does
/// not look right, and nothing of the event's findings is there.
bool ReadFindings(const char* event, Frame* frame, Object* object);

/// Refills Frame::sources with `count` structures (SourceTimePair).
bool ReadSources(const void* first, int32_t count, Frame* frame);

}  // namespace dsmsg::msgconv

#endif  // DSMSG_MSGCONV_FINDINGS_READER_H_
