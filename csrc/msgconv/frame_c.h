// SPDX-License-Identifier: Apache-2.0
// Between the model and the C structures of dsmsg_frame.h. One thread at a time.
#ifndef DSMSG_MSGCONV_FRAME_C_H_
#define DSMSG_MSGCONV_FRAME_C_H_

#include <optional>

#include "core/base/status.h"
#include "dsmsg_frame.h"
#include "msgconv/arena.h"
#include "msgconv/conv_config.h"
#include "msgconv/model.h"

namespace dsmsg::msgconv {

/// Checks `from` (never null) and refills `frame`. Only text is borrowed. A structure that is not
/// ours, or of an unreadable version, is an error that says which.
Status ReadFrame(const DsmsgFrame* from, Frame* frame);

/// The dialect that the host wants; nullopt: it does not say.
std::optional<Dialect> DialectOf(const DsmsgFrame& frame);

class FrameExport {
 public:
  explicit FrameExport(Dialect dialect = Dialect::kDsmsg) : dialect_(dialect) {}

  /// Valid until the next call. Lists without text are borrowed from `frame`.
  const DsmsgFrame* Make(const Frame& frame);

 private:
  void Fill(const Frame& frame, const Object& object, DsmsgObject* out);
  const DsmsgAttribute* Attributes(std::span<const Attribute> attributes);
  const char* const* Texts(std::span<const std::string_view> texts);
  const char* const* TextList(const Frame& frame, Range texts, uint32_t* count);
  void Outlines(const Frame& frame, const Object& object, DsmsgObject* out);
  void Pose(const Frame& frame, const Object& object, DsmsgObject* out);
  void Extended(const Frame& frame, const Object& object, DsmsgObject* out);
  const DsmsgSegmentation* MakeSegmentation(const Frame& frame, const Segmentation* from);
  const DsmsgGroup* Groups(const Frame& frame, Range groups);
  const DsmsgFindings* MakeFindings(const Frame& frame, const Findings& from);
  void Analysis(const Frame& frame);

  const Dialect dialect_;
  Arena arena_;
  DsmsgFrame frame_{};
};

}  // namespace dsmsg::msgconv

#endif  // DSMSG_MSGCONV_FRAME_C_H_
