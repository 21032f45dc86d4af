// SPDX-License-Identifier: Apache-2.0
// What a converter is given: the detections of one frame, free of GStreamer and DeepStream types.
//
// All text is borrowed (string_view): the code that fills a Frame keeps the text alive until its
// last payload is rendered. A Frame is meant to be refilled for the next frame, so that its vectors
// keep their memory. Values; one thread at a time.
#ifndef DSMSG_MSGCONV_MODEL_H_
#define DSMSG_MSGCONV_MODEL_H_

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace dsmsg::msgconv {

enum class EventType { kNone, kEntry, kExit, kMoving, kStopped, kParked, kEmpty, kReset };

/// What kind of object it is, according to its label or to what attached it.
enum class ObjectKind : uint8_t { kByLabel, kVehicle, kPerson, kFace, kProduct, kOther };

/// Latitude, longitude, altitude, or x, y, z.
using Triple = std::array<double, 3>;

/// A part of one of Frame's lists; count 0: nothing.
struct Range {
  uint32_t first = 0, count = 0;
};
/// Not a group number: that of Frame::source_id counts.
inline constexpr int32_t kSourceGroup = -1;
/// Component id of anything that no component claimed.
inline constexpr uint32_t kAnyComponent = UINT32_MAX;

/// A classifier's result about one object: "color" = "blue".
struct Attribute {
  std::string_view name, value;
  std::optional<float> confidence;
  bool made_up = false;  // the name: the classifier has none
};

/// In pixels of the pipeline's frame.
struct Box {
  float left = 0, top = 0, width = 0, height = 0;
};

/// A corner of a mask's outline, pixels of the pipeline's frame.
struct Point {
  float x = 0, y = 0;
};

/// A joint of a body, or any other point with a name.
struct Keypoint {
  std::string_view name;                           // "left-elbow"; "": by its place in the list
  Triple position{};                               // pixels, or x, y, z of a 3-D pose
  float confidence = 0;                            // 0 to 1; of events 0: not seen
  std::optional<std::array<float, 4>> quaternion;  // rotation: x, y, z, w
};

/// What a body with a pose is doing: "walking".
struct Action {
  std::string_view type;
  float confidence = 0;  // 0 to 1
};

/// Where a face looks: a point in space and two angles in radians.
struct Gaze {
  float x = 0, y = 0, z = 0, theta = 0, phi = 0;
};

/// The pixels of an object within its box, as lengths of runs, row by row: 0s, 1s, 0s, ...
struct Mask {
  uint32_t width = 0, height = 0;
  Range runs;  // in Frame::runs
};

/// A box in space.
struct Box3d {
  // x, y, z, width, length, height, pitch, roll, yaw, and the velocities along x, y, z
  std::array<float, 12> values{};
  float confidence = 0;
  Range embedding;  // in Frame::numbers
};

/// What a tracker knows of a body's place in the world from one camera.
struct Track3d {
  Point feet;            // in the picture
  Point ground;          // the feet in the world, on its ground
  Range hull;            // in Frame::points: an outline around the body, in the picture
  float visibility = 1;  // part of it that is seen, 0 to 1
};

/// What DeepStream's NvDsEventMsgMeta says, where the message depends on how it is said.
struct EventMeta {
  int32_t object_type = 0;   // objType, with the numbers of DeepStream 8.0 and later
  bool has_ext = false;      // a structure of the class is attached (extMsg)
  uint16_t null_fields = 0;  // bit i: in it, the class's field i (object_class.h) is NULL
  int32_t frame_id = 0;
  double confidence = 0;
  float visibility = 0;
  std::string_view object_id;   // like the next, without data() if it is NULL
  std::string_view sensor_str;  // as Object::timestamp and Object::video_path
};

/// The class of every pixel of the picture, row by row.
struct Segmentation {
  uint32_t width = 0, height = 0;  // 0: unknown
  Range classes;                   // in Frame::classes
  Range info = {};                 // in Frame::attributes
};

/// Objects that belong together: those of a class, those that interact, those in a crowded place.
struct ObjectGroup {
  std::string_view id, text;  // text: the class, or what they do
  double value = 0;           // how many, or how crowded: 0 to 1
  Range object_ids;           // in Frame::texts
  Range coordinates;          // in Frame::coordinates
  Range info;                 // in Frame::attributes
};

/// A question to a language model, and its answer.
struct Conversation {
  std::string_view id, query, response;
};

/// What an application found out about the scene of an event.
struct Findings {
  Range fov, interactions, congestions;  // in Frame::groups
  std::optional<Segmentation> segmentation;
  // Of a language model: its name, version, ..., in Frame::attributes; in Frame::conversations; in
  // Frame::embeddings.
  Range llm_info, conversations, llm_embeddings;
};

/// A picture of an object that is kept outside of the message.
struct Evidence {
  enum class State : uint8_t { kStored, kLost };
  bool whole_frame = false;  // else only the object
  State state = State::kLost;
  std::string_view uri;     // where it is stored; kLost: where it was to be, or ""
  std::string_view digest;  // SHA-256 of its bytes, 64 hexadecimal digits; "": there are none
  uint64_t size = 0;        // bytes; 0: there are none
  std::string_view reason;  // kLost: why
};

/// When a source took the picture that the scene was seen in.
struct SourceTime {
  std::string_view id;
  uint64_t time_ns = 0;
};

/// What an analysis of the frame counted.
enum class CountKind : uint8_t {
  kClass,      // objects of a class in the picture
  kZone,       // objects in a zone
  kCrowded,    // 1: a zone is crowded, 0: it is not
  kLine,       // crossings of a line in this frame
  kLineTotal,  // crossings of a line since the start
};
struct Count {
  CountKind kind = CountKind::kClass;
  std::string_view name;  // of the zone or line; of a class its name or number
  uint64_t value = 0;
};

/// What an object did in the space that the picture shows.
enum class SpaceKind : uint8_t {
  kCrossing,  // it crossed a line
  kEnter,     // it came into a zone
  kLeave,     // it left a zone, or its track ended there
  kDwell,     // it has been in a zone for the time that was set
  kCrowded,   // a zone has become crowded
  kCleared,   // and is no longer
  kTrackEnd   // its track has ended
};
struct SpaceEvent {
  SpaceKind kind = SpaceKind::kCrossing;
  std::string_view name;       // of the line or zone
  std::string_view direction;  // of a crossing
  uint64_t time_ns = 0;        // of kLeave and kDwell: how long it was there; of kCleared: crowded
  uint64_t value = 0;          // of kCrowded and kCleared: how many are in the zone
};

/// How long a track was in a zone: in a summary all its visits together.
struct Dwell {
  std::string_view zone;
  uint64_t time_ns = 0;
};

/// A track that has ended, as a whole. Boxes and points: pixels of the pipeline's frame.
struct TrackSummary {
  uint64_t id = 0;
  std::string_view label;  // of its best box
  std::optional<int64_t> label_id;
  std::optional<float> confidence;                  // the highest; none: only the tracker saw it
  uint64_t frames = 0;                              // in which it was seen
  uint64_t first_ns = 0, last_ns = 0, best_ns = 0;  // UTC, nanoseconds since 1970
  Box first, last, best;  // best: where confidence is highest; without one, the largest
  Range path;    // in Frame::points: of its boxes' middles, with the straight parts left out
  Range dwells;  // in Frame::dwells: zones that it was in
};

struct Object {
  std::optional<uint64_t> id;       // the tracker's
  std::string_view label;           // class name
  std::optional<int64_t> label_id;  // class number
  std::optional<float> confidence;  // as attached: below 0 if only the tracker saw the object
  Box box;
  float rotation = 0;  // of the box around its middle, degrees
  float speed = 0, direction = 0, orientation = 0;
  std::optional<Triple> location, coordinate;
  EventType event = EventType::kNone;
  uint32_t first_attribute = 0, attribute_count = 0;  // in Frame::attributes

  ObjectKind kind = ObjectKind::kByLabel;
  std::string_view id_text;  // id of an object whose id is not a number; takes precedence over `id`
  Range outlines;            // in Frame::outlines: polygons of its mask
  Range signature;           // in Frame::signatures
  Range embedding;           // in Frame::numbers
  Range embedding_info;      // in Frame::attributes: model, version, ...
  Range directions;          // in Frame::numbers: a direction of several components; protobuf only
  std::string_view pose_type;  // "pose25D", ...
  Range keypoints;             // in Frame::keypoints
  Range actions;               // in Frame::actions
  std::optional<Gaze> gaze;
  std::string_view lip_activity;  // class of a speaking classifier: "speaking", "silent"
  // Count 0 or 1, in Frame::masks, boxes3d, tracks3d.
  Range mask, box3d, track3d;
  Range zones, crowded_zones, lines;  // in Frame::texts: where it is, what it crosses
  Range dwells;        // in Frame::dwells: for how long it is in the zones where it is now
  Range space_events;  // in Frame::space_events: what it did in this frame
  Range track;         // in Frame::tracks: the end of its track; count 0 or 1
  std::string_view heading, state;  // an analysis's words for its direction and its state
  Range findings;                   // in Frame::findings; count 0 or 1
  Range evidence;                   // in Frame::evidence; count 0 to 2, the crop first

  // What an application says about an event of this object. Empty: taken from the frame and the
  // configuration.
  bool is_event = false;        // attached by an application, not found by a detector
  bool classified = false;      // a classifier looked at it, perhaps without a result
  Range event_meta;             // in Frame::event_metas; count 0 or 1
  std::string_view event_id;    // "": a random UUID
  std::string_view event_type;  // a type not in EventType; takes precedence over `event`
  std::string_view timestamp;   // as shown in the message; "": Frame::time_ns
  std::string_view video_path;
  Range custom_messages;  // in Frame::texts
  // Groups of the configuration, if they are not those of the source.
  int32_t sensor_group = kSourceGroup, place_group = kSourceGroup, analytics_group = kSourceGroup;
  uint32_t component_id = kAnyComponent;  // who attached it, for filters
};

struct Frame {
  uint32_t source_id = 0;                        // group number of the configuration
  uint64_t number = 0;                           // counted from 0 for each source
  uint64_t time_ns = 0;                          // UTC, nanoseconds since 1970
  uint32_t width = 0, height = 0;                // of the pipeline, pixels; 0: unknown
  uint32_t source_width = 0, source_height = 0;  // of the camera; 0: as the pipeline
  std::string_view sensor_id;                    // "": the configuration's, else source_id
  std::string_view source_name, source_sensor;   // name and sensor id that the source itself gave
  std::string_view video_path;
  bool only_events = false;  // detectors were not asked: objects are an application's events
  std::optional<Segmentation> segmentation;
  Range custom_messages;  // in texts: of every message of this frame
  std::vector<Object> objects;

  // What objects refer to with their ranges.
  std::vector<Attribute> attributes;  // see AttributesOf
  std::vector<Range> outlines;        // closed polygons, each a range of `points`
  std::vector<Point> points;
  std::vector<double> signatures;
  std::vector<float> numbers;  // embeddings, directions
  std::vector<Keypoint> keypoints;
  std::vector<Action> actions;
  std::vector<std::string_view> texts;  // custom messages, names of zones and lines
  std::vector<uint32_t> runs;           // of masks
  std::vector<int32_t> classes;         // of a segmentation
  std::vector<Mask> masks;
  std::vector<Box3d> boxes3d;
  std::vector<Track3d> tracks3d;
  std::vector<EventMeta> event_metas;
  std::vector<Count> counts;
  std::vector<uint64_t> lost;        // ids that the tracker has given up
  std::vector<TrackSummary> tracks;  // that ended with this frame
  std::vector<Dwell> dwells;
  std::vector<SpaceEvent> space_events;
  std::vector<Findings> findings;
  std::vector<ObjectGroup> groups;
  std::vector<Triple> coordinates;
  std::vector<Conversation> conversations;
  std::vector<Range> embeddings;    // each a range of `numbers`
  std::vector<SourceTime> sources;  // of a scene that several cameras saw
  std::vector<Evidence> evidence;

  std::span<const Attribute> AttributesOf(const Object& object) const {
    return std::span(attributes).subspan(object.first_attribute, object.attribute_count);
  }
  /// The part of one of the lists above: frame.Part(frame.numbers, object.embedding).
  template <class T>
  static std::span<const T> Part(const std::vector<T>& list, Range range) {
    return std::span(list).subspan(range.first, range.count);
  }
  /// Empties the lists, keeps their memory.
  void Clear() {
    objects.clear();
    attributes.clear();
    outlines.clear();
    points.clear();
    signatures.clear();
    numbers.clear();
    keypoints.clear();
    actions.clear();
    texts.clear();
    runs.clear();
    classes.clear();
    masks.clear();
    boxes3d.clear();
    tracks3d.clear();
    event_metas.clear();
    counts.clear();
    lost.clear();
    tracks.clear();
    dwells.clear();
    space_events.clear();
    findings.clear();
    groups.clear();
    coordinates.clear();
    conversations.clear();
    embeddings.clear();
    sources.clear();
    evidence.clear();
    only_events = false;
    segmentation.reset();
    custom_messages = {};
    source_name = source_sensor = {};
  }
};

}  // namespace dsmsg::msgconv

#endif  // DSMSG_MSGCONV_MODEL_H_
