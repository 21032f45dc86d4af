// SPDX-License-Identifier: Apache-2.0
// Reader::Set: the members of the model that each name stands for.
#include <iterator>

#include "msgconv/identity.h"
#include "msgconv/sample_fields.h"
#include "msgconv/space_event.h"

namespace dsmsg::msgconv::sample {

/// What a name sets. `r` reads the value and knows the object or track at hand.
struct Setter {
  std::string_view name;
  void (*set)(Reader& r, const std::string& where, const Json& value);

  static const Setter* Find(std::string_view name);

  // Shorthands for the table.
  static Frame& F(Reader& r) { return r.sample_.frame; }
  static Object& O(Reader& r) { return r.object(); }
  static TrackSummary& T(Reader& r) { return r.track(); }
  static float Float(Reader& r, const std::string& w, const Json& v) {
    return static_cast<float>(r.Number(w, v));
  }
  static double Double(Reader& r, const std::string& w, const Json& v) { return r.Number(w, v); }
  static uint64_t Whole(Reader& r, const std::string& w, const Json& v) { return r.Whole(w, v); }
  static std::string_view Text(Reader& r, const std::string& w, const Json& v) {
    return r.Text(w, v);
  }
  static uint64_t Time(Reader& r, const std::string& w, const Json& v) { return r.Time(w, v); }
  static Range Texts(Reader& r, const std::string& w, const Json& v) { return r.Texts(w, v); }
  static Range Table(Reader& r, const std::string& w, const Json& v) { return r.Table(w, v); }
  static Range Points(Reader& r, const std::string& w, const Json& v) { return r.Points(w, v); }
  static Range Polygons(Reader& r, const std::string& w, const Json& v) { return r.Polygons(w, v); }
  static Range Places(Reader& r, const std::string& w, const Json& v) {
    return r.Coordinates(w, v);
  }
  static Range Floats(Reader& r, const std::string& w, const Json& v) { return r.Floats(w, v); }
  static Mask& M(Reader& r) { return r.Own(&F(r).masks, &O(r).mask); }
  static Box3d& B(Reader& r) { return r.Own(&F(r).boxes3d, &O(r).box3d); }
  static Track3d& Body(Reader& r) { return r.Own(&F(r).tracks3d, &O(r).track3d); }
  static EventMeta& E(Reader& r) { return r.Own(&F(r).event_metas, &O(r).event_meta); }
  static Findings& Fi(Reader& r) { return r.Own(&F(r).findings, &O(r).findings); }
  static Segmentation& S(Reader& r) {
    if (!F(r).segmentation) F(r).segmentation.emplace();
    return *F(r).segmentation;
  }
  static Segmentation& Of(Findings& findings) {
    if (!findings.segmentation) findings.segmentation.emplace();
    return *findings.segmentation;
  }
  static Range Classes(Reader& r, const std::string& where, const Json& value) {
    if (!value.IsArray()) Fail(where, "must be a list");
    auto& classes = F(r).classes;
    const auto first = static_cast<uint32_t>(classes.size());
    for (const auto& each : value.GetArray())
      classes.push_back(static_cast<int32_t>(Double(r, where, each)));
    return {first, value.Size()};
  }
  static Gaze& G(Reader& r) {
    if (!O(r).gaze) O(r).gaze.emplace();
    return *O(r).gaze;
  }
  static Triple& At(std::optional<Triple>& triple) {
    if (!triple) triple.emplace();
    return *triple;
  }
  static std::array<float, 4>& Turn(Reader& r) {
    auto& quaternion = F(r).keypoints.back().quaternion;
    if (!quaternion) quaternion.emplace();
    return *quaternion;
  }
  static void Id(Reader& r, const std::string& where, const Json& value) {
    if (value.IsString()) {
      O(r).id_text = r.Text(where, value);
    } else {
      O(r).id = r.Whole(where, value);
    }
  }
  static void Space(Reader& r, const std::string& where, const Json& value) {
    const std::string_view name = r.Text(where, value);
    for (auto i = 0; i <= static_cast<int>(SpaceKind::kTrackEnd); ++i) {
      if (SpaceEventName(static_cast<SpaceKind>(i)) == name) {
        F(r).space_events.back().kind = static_cast<SpaceKind>(i);
        return;
      }
    }
    Fail(where, "must be line-crossing, zone-enter, zone-leave, ...");
  }
  static void Kind(Reader& r, const std::string& where, const Json& value) {
    constexpr std::string_view kNames[] = {"class", "zone", "crowded", "line", "line_total"};
    const std::string_view name = r.Text(where, value);
    for (size_t i = 0; i < std::size(kNames); ++i) {
      if (kNames[i] == name) {
        F(r).counts.back().kind = static_cast<CountKind>(i);
        return;
      }
    }
    Fail(where, "must be class, zone, crowded, line or line_total");
  }
};

namespace {

using Where = const std::string&;

// NAME, what it sets, and how it is read.
#define DSMSG_SET(name, member, read)                                                       \
  {                                                                                         \
    name, [](Reader& r, Where w, const Json& v) { Setter::member = Setter::read(r, w, v); } \
  }
#define DSMSG_SET_AS(name, member, type, read)                   \
  {                                                              \
    name, [](Reader& r, Where w, const Json& v) {                \
      Setter::member = static_cast<type>(Setter::read(r, w, v)); \
    }                                                            \
  }
#define DSMSG_SET_BOX(name, member)                                                       \
  DSMSG_SET(name ".left", member.left, Float), DSMSG_SET(name ".top", member.top, Float), \
      DSMSG_SET(name ".width", member.width, Float),                                      \
      DSMSG_SET(name ".height", member.height, Float)

constexpr Setter kSetters[] = {
    DSMSG_SET_AS("frame.source", F(r).source_id, uint32_t, Whole),
    DSMSG_SET("frame.source_name", F(r).source_name, Text),
    DSMSG_SET("frame.number", F(r).number, Whole),
    DSMSG_SET("frame.time", F(r).time_ns, Time),
    DSMSG_SET_AS("frame.width", F(r).width, uint32_t, Whole),
    DSMSG_SET_AS("frame.height", F(r).height, uint32_t, Whole),
    DSMSG_SET("frame.video_path", F(r).video_path, Text),
    DSMSG_SET("frame.custom_messages", F(r).custom_messages, Texts),
    {"frame.lost",
     [](Reader& r, Where w, const Json& v) {
       if (!v.IsArray()) Fail(w, "must be a list");
       for (const auto& each : v.GetArray()) Setter::F(r).lost.push_back(Setter::Whole(r, w, each));
     }},
    DSMSG_SET_AS("frame.segmentation.width", S(r).width, uint32_t, Whole),
    DSMSG_SET_AS("frame.segmentation.height", S(r).height, uint32_t, Whole),
    DSMSG_SET("frame.segmentation.classes", S(r).classes, Classes),
    DSMSG_SET("frame.segmentation.info", S(r).info, Table),
    {"count.kind", Setter::Kind},
    DSMSG_SET("count.name", F(r).counts.back().name, Text),
    DSMSG_SET("count.value", F(r).counts.back().value, Whole),
    DSMSG_SET("camera.id", F(r).sources.back().id, Text),
    DSMSG_SET("camera.time", F(r).sources.back().time_ns, Time),
    {"object.id", Setter::Id},
    DSMSG_SET("object.label", O(r).label, Text),
    DSMSG_SET_AS("object.label_id", O(r).label_id, int64_t, Whole),
    DSMSG_SET("object.confidence", O(r).confidence, Float),
    DSMSG_SET_AS("object.component", O(r).component_id, uint32_t, Whole),
    DSMSG_SET_BOX("object.box", O(r).box),
    DSMSG_SET("object.rotation", O(r).rotation, Float),
    DSMSG_SET("object.speed", O(r).speed, Float),
    DSMSG_SET("object.direction", O(r).direction, Float),
    DSMSG_SET("object.orientation", O(r).orientation, Float),
    DSMSG_SET("object.event", O(r).event_type, Text),
    DSMSG_SET("object.event_id", O(r).event_id, Text),
    DSMSG_SET("object.heading", O(r).heading, Text),
    DSMSG_SET("object.state", O(r).state, Text),
    DSMSG_SET("object.zones", O(r).zones, Texts),
    DSMSG_SET("object.crowded_zones", O(r).crowded_zones, Texts),
    DSMSG_SET("object.lines", O(r).lines, Texts),
    DSMSG_SET("object.mask.polygons", O(r).outlines, Polygons),
    DSMSG_SET_AS("object.mask.width", M(r).width, uint32_t, Whole),
    DSMSG_SET_AS("object.mask.height", M(r).height, uint32_t, Whole),
    {"object.mask.rle",
     [](Reader& r, Where w, const Json& v) {
       if (!v.IsArray()) Fail(w, "must be a list");
       auto& runs = Setter::F(r).runs;
       Setter::M(r).runs = {static_cast<uint32_t>(runs.size()), v.Size()};
       for (const auto& each : v.GetArray())
         runs.push_back(static_cast<uint32_t>(Setter::Whole(r, w, each)));
     }},
    DSMSG_SET("object.pose", O(r).pose_type, Text),
    DSMSG_SET("object.embedding", O(r).embedding, Floats),
    DSMSG_SET("object.embedding_info", O(r).embedding_info, Table),
    {"object.signature",
     [](Reader& r, Where w, const Json& v) {
       if (!v.IsArray()) Fail(w, "must be a list");
       auto& signatures = Setter::F(r).signatures;
       Setter::O(r).signature = {static_cast<uint32_t>(signatures.size()), v.Size()};
       for (const auto& each : v.GetArray()) signatures.push_back(Setter::Double(r, w, each));
     }},
    DSMSG_SET("object.directions", O(r).directions, Floats),
    DSMSG_SET("object.gaze.x", G(r).x, Float),
    DSMSG_SET("object.gaze.y", G(r).y, Float),
    DSMSG_SET("object.gaze.z", G(r).z, Float),
    DSMSG_SET("object.gaze.theta", G(r).theta, Float),
    DSMSG_SET("object.gaze.phi", G(r).phi, Float),
    DSMSG_SET("object.lip_activity", O(r).lip_activity, Text),
    DSMSG_SET("object.location.lat", At(Setter::O(r).location)[0], Double),
    DSMSG_SET("object.location.lon", At(Setter::O(r).location)[1], Double),
    DSMSG_SET("object.location.alt", At(Setter::O(r).location)[2], Double),
    DSMSG_SET("object.coordinate.x", At(Setter::O(r).coordinate)[0], Double),
    DSMSG_SET("object.coordinate.y", At(Setter::O(r).coordinate)[1], Double),
    DSMSG_SET("object.coordinate.z", At(Setter::O(r).coordinate)[2], Double),
    DSMSG_SET("object.box3d.x", B(r).values[0], Float),
    DSMSG_SET("object.box3d.y", B(r).values[1], Float),
    DSMSG_SET("object.box3d.z", B(r).values[2], Float),
    DSMSG_SET("object.box3d.width", B(r).values[3], Float),
    DSMSG_SET("object.box3d.length", B(r).values[4], Float),
    DSMSG_SET("object.box3d.height", B(r).values[5], Float),
    DSMSG_SET("object.box3d.pitch", B(r).values[6], Float),
    DSMSG_SET("object.box3d.roll", B(r).values[7], Float),
    DSMSG_SET("object.box3d.yaw", B(r).values[8], Float),
    DSMSG_SET("object.box3d.vx", B(r).values[9], Float),
    DSMSG_SET("object.box3d.vy", B(r).values[10], Float),
    DSMSG_SET("object.box3d.vz", B(r).values[11], Float),
    DSMSG_SET("object.box3d.confidence", B(r).confidence, Float),
    DSMSG_SET("object.box3d.embedding", B(r).embedding, Floats),
    DSMSG_SET("object.feet.x", Body(r).feet.x, Float),
    DSMSG_SET("object.feet.y", Body(r).feet.y, Float),
    DSMSG_SET("object.ground.x", Body(r).ground.x, Float),
    DSMSG_SET("object.ground.y", Body(r).ground.y, Float),
    DSMSG_SET("object.visibility", Body(r).visibility, Float),
    DSMSG_SET("object.hull", Body(r).hull, Points),
    DSMSG_SET("object.video_path", O(r).video_path, Text),
    DSMSG_SET("object.timestamp", O(r).timestamp, Text),
    DSMSG_SET("object.custom_messages", O(r).custom_messages, Texts),
    DSMSG_SET_AS("object.attached.type", E(r).object_type, int32_t, Whole),
    DSMSG_SET_AS("object.attached.frame", E(r).frame_id, int32_t, Whole),
    DSMSG_SET("object.attached.confidence", E(r).confidence, Double),
    DSMSG_SET("object.attached.object_id", E(r).object_id, Text),
    DSMSG_SET("object.attached.sensor", E(r).sensor_str, Text),
    DSMSG_SET_AS("object.segmentation.width", Of(Setter::Fi(r)).width, uint32_t, Whole),
    DSMSG_SET_AS("object.segmentation.height", Of(Setter::Fi(r)).height, uint32_t, Whole),
    DSMSG_SET("object.segmentation.classes", Of(Setter::Fi(r)).classes, Classes),
    DSMSG_SET("object.segmentation.info", Of(Setter::Fi(r)).info, Table),
    DSMSG_SET("object.llm", Fi(r).llm_info, Table),
    {"space.kind", Setter::Space},
    DSMSG_SET("space.name", F(r).space_events.back().name, Text),
    DSMSG_SET("space.direction", F(r).space_events.back().direction, Text),
    {"space.seconds",
     [](Reader& r, Where w, const Json& v) {
       Setter::F(r).space_events.back().time_ns =
           static_cast<uint64_t>(Setter::Double(r, w, v) * 1e9);
     }},
    DSMSG_SET("space.value", F(r).space_events.back().value, Whole),
    {"evidence.whole_frame",
     [](Reader& r, Where w, const Json& v) {
       if (!v.IsBool()) Fail(w, "must be true or false");
       Setter::F(r).evidence.back().whole_frame = v.GetBool();
     }},
    {"evidence.state",
     [](Reader& r, Where w, const Json& v) {
       const std::string_view state = Setter::Text(r, w, v);
       if (state != "stored" && state != "lost") Fail(w, "must be stored or lost");
       Setter::F(r).evidence.back().state =
           state == "stored" ? Evidence::State::kStored : Evidence::State::kLost;
     }},
    DSMSG_SET("evidence.reason", F(r).evidence.back().reason, Text),
    DSMSG_SET("evidence.uri", F(r).evidence.back().uri, Text),
    DSMSG_SET("evidence.digest", F(r).evidence.back().digest, Text),
    DSMSG_SET("evidence.size", F(r).evidence.back().size, Whole),
    DSMSG_SET("attribute.name", F(r).attributes.back().name, Text),
    DSMSG_SET("attribute.value", F(r).attributes.back().value, Text),
    DSMSG_SET("attribute.confidence", F(r).attributes.back().confidence, Float),
    DSMSG_SET("keypoint.name", F(r).keypoints.back().name, Text),
    DSMSG_SET("keypoint.x", F(r).keypoints.back().position[0], Double),
    DSMSG_SET("keypoint.y", F(r).keypoints.back().position[1], Double),
    DSMSG_SET("keypoint.z", F(r).keypoints.back().position[2], Double),
    DSMSG_SET("keypoint.confidence", F(r).keypoints.back().confidence, Float),
    DSMSG_SET("keypoint.qx", Turn(r)[0], Float),
    DSMSG_SET("keypoint.qy", Turn(r)[1], Float),
    DSMSG_SET("keypoint.qz", Turn(r)[2], Float),
    DSMSG_SET("keypoint.qw", Turn(r)[3], Float),
    DSMSG_SET("action.type", F(r).actions.back().type, Text),
    DSMSG_SET("action.confidence", F(r).actions.back().confidence, Float),
    DSMSG_SET("group.id", F(r).groups.back().id, Text),
    DSMSG_SET("group.text", F(r).groups.back().text, Text),
    DSMSG_SET("group.value", F(r).groups.back().value, Double),
    DSMSG_SET("group.object_ids", F(r).groups.back().object_ids, Texts),
    DSMSG_SET("group.coordinates", F(r).groups.back().coordinates, Places),
    DSMSG_SET("group.info", F(r).groups.back().info, Table),
    DSMSG_SET("conversation.id", F(r).conversations.back().id, Text),
    DSMSG_SET("conversation.query", F(r).conversations.back().query, Text),
    DSMSG_SET("conversation.response", F(r).conversations.back().response, Text),
    DSMSG_SET("embedding.vector", F(r).embeddings.back(), Floats),
    DSMSG_SET("track.id", T(r).id, Whole),
    DSMSG_SET("track.label", T(r).label, Text),
    DSMSG_SET_AS("track.label_id", T(r).label_id, int64_t, Whole),
    DSMSG_SET("track.confidence", T(r).confidence, Float),
    DSMSG_SET("track.frames", T(r).frames, Whole),
    DSMSG_SET("track.first", T(r).first_ns, Time),
    DSMSG_SET("track.last", T(r).last_ns, Time),
    DSMSG_SET("track.best", T(r).best_ns, Time),
    DSMSG_SET_BOX("track.first_box", T(r).first),
    DSMSG_SET_BOX("track.last_box", T(r).last),
    DSMSG_SET_BOX("track.best_box", T(r).best),
    DSMSG_SET("track.path", T(r).path, Points),
    DSMSG_SET("dwell.zone", F(r).dwells.back().zone, Text),
    {"dwell.seconds",
     [](Reader& r, Where w, const Json& v) {
       Setter::F(r).dwells.back().time_ns = static_cast<uint64_t>(Setter::Double(r, w, v) * 1e9);
     }},
};

}  // namespace

const Setter* Setter::Find(std::string_view name) {
  for (const Setter& each : kSetters) {
    if (each.name == name) return &each;
  }
  return nullptr;
}

bool Reader::Set(std::string_view name, const std::string& where, const Json& value) {
  const Setter* const setter = Setter::Find(name);
  if (setter != nullptr) setter->set(*this, where, value);
  return setter != nullptr;
}

}  // namespace dsmsg::msgconv::sample
