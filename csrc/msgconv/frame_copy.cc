// SPDX-License-Identifier: Apache-2.0
#include "msgconv/frame_copy.h"

#include <span>

namespace dsmsg::msgconv {
namespace {

static_assert(sizeof(Object) == 520 && sizeof(EventMeta) == 64 && sizeof(Attribute) == 48 &&
                  sizeof(Keypoint) == 64 && sizeof(ObjectGroup) == 64 && sizeof(Evidence) == 64 &&
                  sizeof(Count) == 32 && sizeof(TrackSummary) == 144 && sizeof(Dwell) == 24 &&
                  sizeof(SpaceEvent) == 56,
              "a structure has changed: name its new texts in EachText, or a copy of a frame would "
              "point to texts that are gone; then set the new size here");

template <class Visit>
void EachText(Object* object, const Visit& visit) {
  for (std::string_view* text :
       {&object->label, &object->id_text, &object->pose_type, &object->lip_activity,
        &object->heading, &object->state, &object->event_id, &object->event_type,
        &object->timestamp, &object->video_path})
    visit(text);
}

template <class Visit>
void EachText(Frame* frame, const Visit& visit) {
  for (std::string_view* text :
       {&frame->sensor_id, &frame->source_name, &frame->source_sensor, &frame->video_path})
    visit(text);
  for (Object& object : frame->objects) EachText(&object, visit);
  for (Attribute& attribute : frame->attributes) {
    visit(&attribute.name);
    visit(&attribute.value);
  }
  for (Keypoint& keypoint : frame->keypoints) visit(&keypoint.name);
  for (Action& action : frame->actions) visit(&action.type);
  for (std::string_view& text : frame->texts) visit(&text);
  for (EventMeta& event : frame->event_metas) {
    visit(&event.object_id);
    visit(&event.sensor_str);
  }
  for (Count& count : frame->counts) visit(&count.name);
  for (TrackSummary& track : frame->tracks) visit(&track.label);
  for (Dwell& dwell : frame->dwells) visit(&dwell.zone);
  for (SpaceEvent& event : frame->space_events) {
    visit(&event.name);
    visit(&event.direction);
  }
  for (ObjectGroup& group : frame->groups) {
    visit(&group.id);
    visit(&group.text);
  }
  for (Conversation& conversation : frame->conversations) {
    visit(&conversation.id);
    visit(&conversation.query);
    visit(&conversation.response);
  }
  for (SourceTime& source : frame->sources) visit(&source.id);
  for (Evidence& picture : frame->evidence) {
    visit(&picture.uri);
    visit(&picture.digest);
    visit(&picture.reason);
  }
}

}  // namespace

FrameCopy::FrameCopy(const Frame& frame) : frame_(frame) {
  size_t size = 0;
  EachText(&frame_, [&size](const std::string_view* text) { size += text->size(); });
  texts_.reserve(size);
  EachText(&frame_, [this](std::string_view* text) {
    if (text->data() == nullptr) return;  // that differs from ""
    const size_t at = texts_.size();
    texts_.append(*text);
    *text = std::string_view(texts_.data() + at, text->size());
  });
}

}  // namespace dsmsg::msgconv
