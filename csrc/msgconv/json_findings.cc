// SPDX-License-Identifier: Apache-2.0
// Members for what applications found out about a scene: the keys that NVIDIA's own extended
// converter has for them.
#include "msgconv/json_parts.h"

namespace dsmsg::msgconv {
namespace {

/// A list over the findings of all objects; it begins with its first element.
class List {
 public:
  List(JsonWriter* out, std::string_view key) : out_(out), key_(key) {}
  void Next() {
    out_->Raw(begun_ ? "," : key_);
    begun_ = true;
  }
  void End() {
    if (begun_) out_->Raw(']');
  }

 private:
  JsonWriter* const out_;
  const std::string_view key_;
  bool begun_ = false;
};

/// Calls `body` with the findings of each object that has some.
template <class Body>
void ForEach(const Frame& frame, std::span<const Object> objects, const Body& body) {
  for (const Object& object : objects) {
    if (object.findings.count > 0) body(frame.findings[object.findings.first]);
  }
}

void TextMember(JsonWriter* out, std::string_view key, std::string_view text) {
  if (text.empty()) return;
  out->Raw(key);
  out->String(text);
}

void Places(JsonWriter* out, std::span<const Triple> places) {
  if (places.empty()) return;
  const std::string_view keys[] = {R"({"x":)", R"(,"y":)", R"(,"z":)"};
  out->Raw(R"(,"coordinates":[)");
  for (const Triple& place : places) {
    if (&place != places.data()) out->Raw(',');
    for (size_t i = 0; i < place.size(); ++i) {
      out->Raw(keys[i]);
      out->Number(place[i]);
    }
    out->Raw('}');
  }
  out->Raw(']');
}

/// `text`, `value`: the keys that a group of this kind has for them; value "": it has none.
void GroupsMember(JsonWriter* out, const Frame& frame, std::span<const Object> objects,
                  Range Findings::*groups, std::string_view key, std::string_view text,
                  std::string_view value) {
  List list(out, key);
  ForEach(frame, objects, [&](const Findings& findings) {
    for (const ObjectGroup& group : frame.Part(frame.groups, findings.*groups)) {
      list.Next();
      out->Raw(R"({"id":)");
      out->String(group.id);
      TextMember(out, text, group.text);
      if (!value.empty()) {
        out->Raw(value);
        out->Number(group.value);
      }
      Places(out, frame.Part(frame.coordinates, group.coordinates));
      if (group.object_ids.count > 0)
        ListMember(out, R"(,"objectIds":)", frame.Part(frame.texts, group.object_ids));
      TableMember(out, R"(,"info":)", frame.Part(frame.attributes, group.info));
      out->Raw('}');
    }
  });
  list.End();
}

/// The questions and embeddings of all objects, and the first description of a model.
void LanguageModel(JsonWriter* out, const Frame& frame, std::span<const Object> objects) {
  List list(out, R"(,"llm":{"conversations":[)");
  Range info;
  bool embeddings = false, any = false;
  ForEach(frame, objects, [&](const Findings& findings) {
    for (const Conversation& each : frame.Part(frame.conversations, findings.conversations)) {
      list.Next();
      out->Raw(R"({"id":)");
      out->String(each.id);
      out->Raw(R"(,"query":)");
      out->String(each.query);
      out->Raw(R"(,"response":)");
      out->String(each.response);
      out->Raw('}');
      any = true;
    }
    if (info.count == 0) info = findings.llm_info;
    embeddings |= findings.llm_embeddings.count > 0;
  });
  if (!any && info.count == 0 && !embeddings) return;
  out->Raw(any ? "]" : R"(,"llm":{"conversations":[])");
  List vectors(out, R"(,"embeddings":[)");
  ForEach(frame, objects, [&](const Findings& findings) {
    for (const Range vector : frame.Part(frame.embeddings, findings.llm_embeddings)) {
      vectors.Next();
      ListMember(out, R"({"vector":)", frame.Part(frame.numbers, vector));
      out->Raw('}');
    }
  });
  vectors.End();
  TableMember(out, R"(,"info":)", frame.Part(frame.attributes, info));
  out->Raw('}');
}

}  // namespace

void FindingsMembers(JsonWriter* out, TimeFormatter* time, const Frame& frame,
                     std::span<const Object> objects) {
  if (!frame.findings.empty()) {
    constexpr std::string_view kNone;
    GroupsMember(out, frame, objects, &Findings::fov, R"(,"fov":[)", R"(,"type":)", R"(,"count":)");
    GroupsMember(out, frame, objects, &Findings::interactions, R"(,"interactions":[)",
                 R"(,"description":)", kNone);
    GroupsMember(out, frame, objects, &Findings::congestions, R"(,"congestions":[)", kNone,
                 R"(,"amount":)");
    const Segmentation* const first = FirstSegmentation(frame, objects);
    if (first != nullptr && !frame.segmentation) SegmentationMember(out, frame, *first);
    LanguageModel(out, frame, objects);
  }
  if (frame.sources.empty()) return;
  List list(out, R"(,"sources":[)");
  for (const SourceTime& source : frame.sources) {
    list.Next();
    out->Raw(R"({"id":)");
    out->String(source.id);
    out->Raw(R"(,"timestamp":)");
    out->String(time->Format(source.time_ns));
    out->Raw('}');
  }
  list.End();
}

}  // namespace dsmsg::msgconv
