// SPDX-License-Identifier: Apache-2.0
#include "gst/conv_evidence.h"

#include <algorithm>
#include <utility>

#include "evidence/picture_name.h"
#include "msgconv/model_parts.h"

namespace dsmsg {
namespace {

using evidence::EvidenceSettings;
using evidence::Outcome;
using evidence::Recorder;
using msgconv::Frame;
using msgconv::Object;

constexpr std::chrono::minutes kWarnEvery{1};

/// The picture no longer shows it: its track has ended, with whatever is told about that, or it
/// left. Events of an application are about what is in their picture.
bool IsGone(const Object& object) {
  if (object.track.count > 0) return true;
  return object.event == msgconv::EventType::kExit && !object.is_event &&
         object.space_events.count == 0;
}

bool HasEvent(const Object& object) {
  return object.is_event || object.space_events.count > 0 || !msgconv::EventTypeOf(object).empty();
}

}  // namespace

Result<std::unique_ptr<ConvEvidence>> ConvEvidence::Create(
    const std::string& destination, const std::string& settings,
    std::shared_ptr<const msgconv::ConvConfig> config, std::vector<std::string>* warnings) {
  auto read = evidence::ReadEvidenceSettings(destination, settings, warnings);
  if (!read.ok()) return read.status();
  auto recorder = Recorder::Start(read.value(), warnings);
  if (!recorder.ok()) return recorder.status();
  std::unique_ptr<ConvEvidence> made(
      new ConvEvidence(std::move(read.value()), std::move(recorder.value()), std::move(config)));
  if (Status status = made->ParseWhen(); !status.ok()) return status;
  return made;
}

ConvEvidence::ConvEvidence(EvidenceSettings settings, std::unique_ptr<Recorder> recorder,
                           std::shared_ptr<const msgconv::ConvConfig> config)
    : settings_(std::move(settings)),
      recorder_(std::move(recorder)),
      config_(std::move(config)),
      number_(g_random_int()) {}

Status ConvEvidence::ParseWhen() {
  if (settings_.when.empty()) return {};
  size_t texts = 0;
  try {
    when_ = msgconv::MapExpression::Parse(
        settings_.when, {{msgconv::MapContext::kFrame, msgconv::MapContext::kObject}, &texts});
  } catch (const msgconv::MapFault& fault) {
    return {Code::kInvalidArgument, "evidence: when=" + settings_.when + ": at character " +
                                        std::to_string(fault.at + 1) + ": " + fault.what};
  }
  if (when_.type() != msgconv::MapType::kBool) {
    return {Code::kInvalidArgument, "evidence: when=" + settings_.when +
                                        ": not a condition (for example object.label == \"car\")"};
  }
  scratch_.texts.resize(texts);
  return {};
}

bool ConvEvidence::Wanted(const Frame& frame, size_t index) {
  const Object& object = frame.objects[index];
  if (IsGone(object)) return false;
  if (when_.empty()) return HasEvent(object);
  return when_.Holds({frame, &object, index, *config_, scratch_});
}

// ---------------------------------------------------------------- taking pictures

bool ConvEvidence::Keep(GstBuffer* buffer, const InputFrame& which, const Frame& frame) {
  std::vector<Picture> taken;
  Recorder::TicketPtr whole;
  for (size_t i = 0; i < frame.objects.size(); ++i) {
    if (!Wanted(frame, i)) continue;
    if (settings_.crop) taken.push_back({i, false, Take(buffer, which, frame, &i)});
    if (!settings_.frame) continue;
    if (whole == nullptr) whole = Take(buffer, which, frame, nullptr);
    taken.push_back({i, true, whole});
  }
  return Hold(frame, std::move(taken));
}

bool ConvEvidence::Hold(const Frame& frame, std::vector<Picture> pictures) {
  if (pictures.empty() && !IsBehind(frame.source_id)) return false;
  auto held = std::make_unique<Held>(frame);
  held->pictures = std::move(pictures);
  held->deadline = Clock::now() + settings_.timeout;
  held_.push_back(std::move(held));
  return true;
}

/// A picture of one object, or without one of the whole frame.
Recorder::TicketPtr ConvEvidence::Take(GstBuffer* buffer, const InputFrame& which,
                                       const Frame& frame, const size_t* object) {
  if (!which.has_picture) {
    return Lost(
        "the buffer is not the picture of one frame (put the converter behind nvstreamdemux, "
        "or use batch-size=1)");
  }
  if (!pictures_.why_not().empty()) return Lost(pictures_.why_not());
  const int width = pictures_.width(), height = pictures_.height();
  evidence::PixelBox box{0, 0, width, height};
  if (object != nullptr) {
    const msgconv::Box& given = frame.objects[*object].box;
    // DeepStream's boxes are in pixels of its muxer; the picture may have been scaled since.
    const double x = frame.width == 0 ? 1 : static_cast<double>(width) / frame.width;
    const double y = frame.height == 0 ? 1 : static_cast<double>(height) / frame.height;
    const auto scaled = [](float value, double by) { return static_cast<double>(value) * by; };
    box = evidence::WithMargin(scaled(given.left, x), scaled(given.top, y), scaled(given.width, x),
                               scaled(given.height, y), settings_.margin, width, height);
    if (box.empty()) return Lost("the object has no box in the picture");
  }
  evidence::PictureName name;
  name.time_ns = frame.time_ns;
  name.source = frame.source_id;
  name.frame = frame.number;
  if (object != nullptr) name.object = *object;
  name.converter = number_;
  return recorder_->Take(TextOf(name), pictures_.SizeOf(box),
                         [&] { return pictures_.Take(buffer, box); });
}

Recorder::TicketPtr ConvEvidence::Lost(const std::string& reason) { return Recorder::Lost(reason); }

// ---------------------------------------------------------------- messages that wait

bool ConvEvidence::IsBehind(uint32_t source) const {
  return std::ranges::any_of(
      held_, [source](const auto& held) { return held->copy.frame().source_id == source; });
}

bool ConvEvidence::IsReady(const Held& held) const {
  if (Clock::now() >= held.deadline) return true;
  return std::ranges::none_of(held.pictures, [this](const Picture& picture) {
    return recorder_->IsWaiting(*picture.ticket);
  });
}

Frame* ConvEvidence::Next(bool at_end) {
  leaving_.reset();
  std::vector<uint32_t> blocked;
  for (auto held = held_.begin(); held != held_.end(); ++held) {
    const uint32_t source = (*held)->copy.frame().source_id;
    if (std::ranges::find(blocked, source) != blocked.end()) continue;
    const bool too_many = held == held_.begin() && held_.size() > settings_.waiting;
    if (at_end || too_many || IsReady(**held)) {
      leaving_ = std::move(*held);
      held_.erase(held);
      Settle(leaving_.get(), at_end);
      return &leaving_->copy.frame();
    }
    blocked.push_back(source);
  }
  return nullptr;
}

/// Writes into the frame what became of its pictures. The first of several reasons is kept for the
/// warning.
void ConvEvidence::Settle(Held* held, bool wait) {
  Frame& frame = held->copy.frame();
  const bool early = !wait && Clock::now() < held->deadline;
  held->outcomes.reserve(held->pictures.size());  // the frame's views point into them
  bool told_whole = false;                        // objects share it, and it is one picture
  for (const Picture& picture : held->pictures) {
    Outcome outcome = recorder_->Wait(*picture.ticket, wait ? held->deadline : Deadline());
    const bool waited_for = recorder_->IsWaiting(*picture.ticket);
    if (waited_for && early) {
      outcome.reason = "more than " + std::to_string(settings_.waiting) +
                       " messages wait for pictures (option waiting)";
    }
    if (waited_for) recorder_->GiveUp(*picture.ticket);
    const bool counted = picture.whole_frame && std::exchange(told_whole, true);
    if (outcome.state != Outcome::State::kStored && !counted) {
      ++lost_;
      if (why_lost_.empty()) why_lost_ = outcome.reason;
    }
    held->outcomes.push_back(std::move(outcome));
  }
  for (size_t i = 0; i < held->pictures.size(); ++i) {
    const Outcome& outcome = held->outcomes[i];
    Object& object = frame.objects[held->pictures[i].object];
    if (object.evidence.count++ == 0)
      object.evidence.first = static_cast<uint32_t>(frame.evidence.size());
    frame.evidence.push_back({held->pictures[i].whole_frame,
                              outcome.state == Outcome::State::kStored
                                  ? msgconv::Evidence::State::kStored
                                  : msgconv::Evidence::State::kLost,
                              outcome.uri, outcome.digest, outcome.size, outcome.reason});
  }
}

std::string ConvEvidence::TakeWarning() {
  if (why_lost_.empty() || Clock::now() < next_warning_) return {};
  next_warning_ = Clock::now() + kWarnEvery;
  const std::string why = std::exchange(why_lost_, {});
  return "evidence: " + std::to_string(lost_) +
         (lost_ == 1 ? " picture lost so far: "
                     : " pictures lost so far; the first since the last warning: ") +
         why;
}

}  // namespace dsmsg
