// SPDX-License-Identifier: Apache-2.0
// A frame that outlives the buffer it was read from: its texts are its own. One thread at a time.
#ifndef DSMSG_MSGCONV_FRAME_COPY_H_
#define DSMSG_MSGCONV_FRAME_COPY_H_

#include <string>

#include "msgconv/model.h"

namespace dsmsg::msgconv {

class FrameCopy {
 public:
  explicit FrameCopy(const Frame& frame);
  // The views point into texts_, which must not move.
  FrameCopy(const FrameCopy&) = delete;
  FrameCopy& operator=(const FrameCopy&) = delete;

  Frame& frame() { return frame_; }

 private:
  Frame frame_;
  std::string texts_;
};

}  // namespace dsmsg::msgconv

#endif  // DSMSG_MSGCONV_FRAME_COPY_H_
