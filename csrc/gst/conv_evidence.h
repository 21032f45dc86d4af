// SPDX-License-Identifier: Apache-2.0
// Pictures of events for dsmsgconv's messages: decides which objects have one, takes it from the
// buffer, and keeps the frame, without its buffer, until its pictures are stored or lost. Messages
// of a source stay in order: while one waits, the later ones of that source wait behind it.
//
// Threads: that of ConvWorker. Storing is the Recorder's, on its own thread.
#ifndef DSMSG_GST_CONV_EVIDENCE_H_
#define DSMSG_GST_CONV_EVIDENCE_H_

#include <gst/gst.h>

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "core/base/status.h"
#include "core/base/time.h"
#include "evidence/raw_picture.h"
#include "evidence/recorder.h"
#include "evidence/settings.h"
#include "gst/frame_input.h"
#include "msgconv/conv_config.h"
#include "msgconv/frame_copy.h"
#include "msgconv/map_expression.h"
#include "msgconv/map_value.h"
#include "msgconv/model.h"

namespace dsmsg {

class ConvEvidence {
 public:
  /// See evidence/settings.h for the texts. `config` is never null.
  static Result<std::unique_ptr<ConvEvidence>> Create(
      const std::string& destination, const std::string& settings,
      std::shared_ptr<const msgconv::ConvConfig> config, std::vector<std::string>* warnings);

  void SetCaps(const GstCaps* caps) { pictures_.SetCaps(caps); }
  /// True: the frame has pictures, or waits behind one that has; Next() gives it back.
  bool Keep(GstBuffer* buffer, const InputFrame& which, const msgconv::Frame& frame);
  /// The same of a frame without pictures.
  bool KeepBehind(const msgconv::Frame& frame) { return Hold(frame, {}); }
  /// The next frame whose messages may leave, with what became of its pictures; null: none.
  /// `at_end`: waits for it. Valid until the next call.
  msgconv::Frame* Next(bool at_end);
  /// The pipeline stops: Next(true) returns soon. Any thread.
  void StopWaiting() { recorder_->StopWaiting(); }
  /// Frames that wait.
  size_t waiting() const { return held_.size(); }
  /// A warning that is due: why pictures are lost, at most once a minute; "": none.
  std::string TakeWarning();
  /// Pictures that messages called lost.
  uint64_t lost() const { return lost_; }
  evidence::RecorderCounters counters() const { return recorder_->counters(); }

 private:
  struct Picture {
    size_t object;  // in the frame
    bool whole_frame;
    evidence::Recorder::TicketPtr ticket;
  };
  struct Held {
    explicit Held(const msgconv::Frame& frame) : copy(frame) {}
    msgconv::FrameCopy copy;
    std::vector<Picture> pictures;
    Deadline deadline{};
    std::vector<evidence::Outcome> outcomes;  // of the pictures, once it leaves
  };

  ConvEvidence(evidence::EvidenceSettings settings, std::unique_ptr<evidence::Recorder> recorder,
               std::shared_ptr<const msgconv::ConvConfig> config);
  Status ParseWhen();
  bool Wanted(const msgconv::Frame& frame, size_t index);
  evidence::Recorder::TicketPtr Take(GstBuffer* buffer, const InputFrame& which,
                                     const msgconv::Frame& frame, const size_t* object);
  evidence::Recorder::TicketPtr Lost(const std::string& reason);
  bool Hold(const msgconv::Frame& frame, std::vector<Picture> pictures);
  bool IsBehind(uint32_t source) const;
  bool IsReady(const Held& held) const;
  void Settle(Held* held, bool wait);

  const evidence::EvidenceSettings settings_;
  const std::unique_ptr<evidence::Recorder> recorder_;
  const std::shared_ptr<const msgconv::ConvConfig> config_;
  const uint32_t number_;  // in the names of pictures
  evidence::PictureSource pictures_;
  msgconv::MapExpression when_;
  msgconv::MapScratch scratch_;
  std::deque<std::unique_ptr<Held>> held_;
  std::unique_ptr<Held> leaving_;
  uint64_t lost_ = 0;
  std::string why_lost_;
  Deadline next_warning_{};
};

}  // namespace dsmsg

#endif  // DSMSG_GST_CONV_EVIDENCE_H_
