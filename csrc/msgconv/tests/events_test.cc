// SPDX-License-Identifier: Apache-2.0
// DeepStream's events, read and written, in the layouts of its releases.
#include <glib.h>
#include <gmock/gmock.h>

#include <array>
#include <cstring>
#include <optional>
#include <vector>

#include "json_check.h"
#include "msgconv/converter.h"
#include "msgconv/event_reader.h"
#include "msgconv/event_writer.h"
#include "rich_frame.h"
#include "warehouse.h"

namespace dsmsg::msgconv {
namespace {

using dsmsg_test::At;
using dsmsg_test::Number;
using dsmsg_test::ParseJson;
using dsmsg_test::Text;
using testing::HasSubstr;

char* Str(const char* text) { return const_cast<char*>(text); }

std::string AttributeText(const Frame& frame, const Object& object) {
  std::string text;
  for (const Attribute& attribute : frame.AttributesOf(object)) {
    text.append(attribute.name).append("=").append(attribute.value).append(" ");
  }
  return text;
}

// A parked car as an application fills it in.
struct Parked {
  NvDsVehicleObject vehicle = {Str("sedan"), Str("Bugatti"), Str("M"),
                               Str("blue"),  Str("CA"),      Str("444")};
  double signature[2] = {0.5, 0.25};
  NvDsJoint joints[18] = {};
  float vector[2] = {1.5F, -2.5F};
  NvDsEventMsgMeta meta{};
  Parked() {
    meta.type = NVDS_EVENT_PARKED;
    meta.objType = NVDS_OBJECT_TYPE_VEHICLE;
    meta.bbox = {150, 1834, 84, 65};
    meta.location = {45.5, -75.25, 48};
    meta.objSignature = {signature, 2};
    meta.objClassId = 2;
    meta.sensorId = 1;
    meta.moduleId = 2;
    meta.placeId = 3;
    meta.componentId = 4;
    meta.frameId = 99;
    meta.confidence = 0.75;
    meta.trackingId = 957;
    meta.ts = Str("2018-04-11T04:59:59.828Z");
    meta.objectId = Str("sedan");
    meta.sensorStr = Str("gate");
    meta.otherAttrs = Str("other");
    meta.videoPath = Str("/v.mp4");
    meta.extMsg = &vehicle;
    meta.extMsgSize = sizeof(vehicle);
    joints[1].confidence = 0.5F;
    joints[1].x = 7;
    meta.pose = {joints, 18, 0};
    meta.embedding = {vector, 2};
  }
};

Frame ReadOne(NvDsEventMsgMeta* meta, EventReader* reader) {
  Frame frame;
  const NvDsEvent event = {meta->type, meta};
  const Status status = reader->Read({&event, 1}, &frame);
  EXPECT_TRUE(status.ok()) << status.message();
  EXPECT_EQ(frame.objects.size(), 1U);
  return frame;
}

TEST(EventReader, ReadsEveryField) {
  Parked parked;
  EventReader reader(kTail7);
  const Frame frame = ReadOne(&parked.meta, &reader);
  const Object& car = frame.objects.at(0);
  EXPECT_EQ(frame.source_id, 1U);
  EXPECT_EQ(frame.number, 99U);
  EXPECT_EQ(frame.sensor_id, "gate");
  EXPECT_EQ(frame.time_ns, 1'523'422'799'828'000'000U);
  EXPECT_EQ(car.event, EventType::kParked);
  EXPECT_EQ(car.kind, ObjectKind::kVehicle);
  EXPECT_EQ(car.label, "sedan");
  EXPECT_EQ(car.label_id, 2);
  EXPECT_EQ(car.id, 957U);
  EXPECT_EQ(car.confidence, 0.75F);
  EXPECT_EQ(car.box.left, 1834);
  EXPECT_EQ(car.box.top, 150);
  EXPECT_EQ(car.box.height, 65);
  EXPECT_EQ(car.location, (Triple{45.5, -75.25, 48}));
  EXPECT_FALSE(car.coordinate);
  EXPECT_EQ(car.signature.count, 2U);
  EXPECT_EQ(frame.signatures, (std::vector<double>{0.5, 0.25}));
  EXPECT_EQ(car.timestamp, "2018-04-11T04:59:59.828Z");
  EXPECT_EQ(car.sensor_group, 1);
  EXPECT_EQ(car.analytics_group, 2);
  EXPECT_EQ(car.place_group, 3);
  EXPECT_EQ(car.component_id, 4U);
  EXPECT_EQ(car.video_path, "/v.mp4");
  EXPECT_EQ(frame.texts, (std::vector<std::string_view>{"other"}));
  EXPECT_EQ(AttributeText(frame, car),
            "type=sedan make=Bugatti model=M color=blue licenseState=CA license=444 ");
  ASSERT_EQ(frame.keypoints.size(), 18U);  // also those that are not seen
  EXPECT_EQ(frame.keypoints[0].confidence, 0);
  EXPECT_EQ(frame.keypoints[1].name, "neck");
  EXPECT_EQ(car.pose_type, "pose2D");
  EXPECT_EQ(frame.numbers, (std::vector<float>{1.5F, -2.5F}));
  EXPECT_EQ(reader.TakeNote(), "");
}

TEST(EventReader, ClassesAndMasks) {
  double polygon[] = {1, 2, 3, 4, 5, 6};
  GArray array = {reinterpret_cast<gchar*>(polygon), 6};
  GList mask = {&array, nullptr, nullptr};
  NvDsPersonObjectExt person = {Str("f"), Str("black"), Str(""), nullptr, 34, &mask};
  NvDsEventMsgMeta meta{};
  meta.objType = NVDS_OBJECT_TYPE_PERSON_EXT;
  meta.trackingId = UINT64_MAX;
  meta.extMsg = &person;
  meta.extMsgSize = sizeof(person);
  EventReader reader(kTail7);
  Frame frame = ReadOne(&meta, &reader);
  EXPECT_EQ(frame.objects[0].label, "Person");
  EXPECT_FALSE(frame.objects[0].id);
  EXPECT_EQ(AttributeText(frame, frame.objects[0]), "age=34 gender=f hair=black ");
  ASSERT_EQ(frame.objects[0].outlines.count, 1U);
  EXPECT_EQ(frame.outlines[0].count, 3U);
  EXPECT_EQ(frame.points[2].y, 6);

  NvDsProductObject product = {Str("b"), Str("t"), Str("s")};
  meta.extMsg = &product;
  meta.extMsgSize = sizeof(product);
  meta.objType = NVDS_OBJECT_TYPE_PRODUCT;
  frame = ReadOne(&meta, &reader);
  EXPECT_EQ(AttributeText(frame, frame.objects[0]), "brand=b type=t shape=s ");
  EventReader of_6_0(kTail6);  // where 9 is not given to products
  frame = ReadOne(&meta, &of_6_0);
  EXPECT_EQ(frame.attributes.size(), 0U);

  meta.objType = NVDS_OBJECT_TYPE_UNKNOWN;
  meta.objectId = Str("car");
  frame = ReadOne(&meta, &reader);
  EXPECT_EQ(frame.objects[0].kind, ObjectKind::kOther);
  EXPECT_EQ(frame.objects[0].label, "car");
}

TEST(EventReader, APolygonMayBeEmpty) {
  GArray none = {nullptr, 0};
  GList mask = {&none, nullptr, nullptr};
  NvDsVehicleObjectExt vehicle = {nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, &mask};
  NvDsEventMsgMeta meta{};
  meta.objType = NVDS_OBJECT_TYPE_VEHICLE_EXT;
  meta.extMsg = &vehicle;
  meta.extMsgSize = sizeof(vehicle);
  EventReader reader(kTail7);
  const Frame frame = ReadOne(&meta, &reader);
  ASSERT_EQ(frame.objects[0].outlines.count, 1U);
  EXPECT_EQ(frame.outlines[0].count, 0U);
}

TEST(EventReader, EventTypesInDeepStreamsOrder) {
  NvDsEventMsgMeta meta{};
  EventReader reader(kTail7);
  const EventType types[] = {EventType::kEntry,   EventType::kExit,  EventType::kMoving,
                             EventType::kStopped, EventType::kEmpty, EventType::kParked,
                             EventType::kReset,   EventType::kNone};
  for (int type = 0; type < 8; ++type) {
    std::memcpy(&meta.type, &type, sizeof(type));
    EXPECT_EQ(ReadOne(&meta, &reader).objects[0].event, types[type]) << type;
  }
  meta.type = NVDS_EVENT_CUSTOM;
  EXPECT_EQ(ReadOne(&meta, &reader).objects[0].event_type, "custom");
}

TEST(EventReader, AStructureThatIsTooSmallIsNotRead) {
  Parked parked;
  parked.meta.extMsgSize = 8;
  EventReader reader(kTail7);
  EXPECT_EQ(ReadOne(&parked.meta, &reader).attributes.size(), 0U);
  EXPECT_THAT(reader.TakeNote(), HasSubstr("extMsgSize=8 is too small"));
}

TEST(EventReader, AnEventWithoutMetadataIsRefused) {
  Parked parked;
  const NvDsEvent events[] = {{NVDS_EVENT_EXIT, &parked.meta}, {NVDS_EVENT_EXIT, nullptr}};
  EventReader reader(kTail7);
  Frame frame;
  EXPECT_THAT(reader.Read(events, &frame).message(),
              HasSubstr("event 1 of 2 has no metadata (NvDsEvent::metadata is NULL)"));
}

// A release that nobody looked at: what all have in common, and not a byte of the rest.
TEST(EventReader, AnUnknownReleaseIsReadAsFarAsItIsCertain) {
  Parked parked;
  std::vector<char> bytes(152);
  std::memcpy(bytes.data(), &parked.meta, bytes.size());
  EventReader reader(kTailUnknown);
  const Frame frame = ReadOne(reinterpret_cast<NvDsEventMsgMeta*>(bytes.data()), &reader);
  EXPECT_EQ(frame.objects[0].id, 957U);
  EXPECT_EQ(frame.sensor_id, "gate");
  EXPECT_EQ(frame.objects[0].video_path, "");
  EXPECT_EQ(frame.attributes.size(), 0U);
}

EventTail TailOf(size_t frame_size, size_t object_size, std::optional<Release> release) {
  return EventTailOf({true, frame_size, object_size, release, "test"}).value();
}

TEST(EventTail, SizesSayTheFamilyAndTheReleaseDecidesWithinIt) {
  EXPECT_EQ(TailOf(200, 544, {}).pose, kNotThere);
  EXPECT_EQ(TailOf(200, 544, Release{6, 1}).pose, kNotThere);
  EXPECT_EQ(TailOf(200, 544, Release{6, 2}).pose, kTail62.pose);
  EXPECT_EQ(TailOf(200, 544, Release{6, 2}).has_track, kNotThere);
  EXPECT_EQ(TailOf(200, 544, Release{7, 1}).has_track, kTail7.has_track);
  EXPECT_EQ(TailOf(232, 544, {}).visibility, kTail8.visibility);
  EXPECT_EQ(TailOf(232, 552, {}).product, 11);
  EXPECT_EQ(TailOf(232, 552, {}).visibility, kNotThere);
  EXPECT_EQ(TailOf(232, 552, Release{9, 0}).visibility, kTail90.visibility);
  EXPECT_EQ(TailOf(232, 552, Release{9, 0}).box3d_size, 96U);
  EXPECT_EQ(TailOf(232, 544, {}).box3d_size, 88U);
  EXPECT_EQ(TailOf(232, 552, Release{9, 1}).visibility, kTail91.visibility);
  // A release that contradicts the sizes does not count.
  EXPECT_EQ(TailOf(200, 544, Release{9, 1}).video_path, kTail6.video_path);
  EXPECT_EQ(TailOf(232, 552, Release{7, 0}).video_path, kTail9.video_path);
  EXPECT_EQ(TailOf(240, 560, Release{9, 1}).video_path, kNotThere);
}

TEST(EventTail, FollowsTheReleaseWhereTheLibraryCannotBeAsked) {
  const auto of = [](unsigned major, unsigned minor) {
    return EventTailOf({true, 0, 0, Release{major, minor}, "test"});
  };
  EXPECT_FALSE(of(5, 1).ok());
  EXPECT_THAT(of(5, 1).status().message(), HasSubstr("DeepStream 5.1 (test) is older than 6.0"));
  EXPECT_EQ(of(6, 1)->pose, kNotThere);
  EXPECT_EQ(of(6, 4)->pose, kTail7.pose);
  EXPECT_EQ(of(7, 1)->video_path, kTail7.video_path);
  EXPECT_EQ(of(8, 0)->video_path, kTail8.video_path);
  EXPECT_EQ(of(9, 1)->product, 11);
  EXPECT_EQ(of(10, 0)->video_path, kNotThere);
  EXPECT_EQ(EventTailOf({})->video_path, kTail7.video_path);
  EXPECT_EQ(EventTailOf({true, 0, 0, {}, ""})->video_path, kNotThere);
}

TEST(DeepStreamRelease, ReadsVersions) {
  EXPECT_EQ(ParseRelease("7.0"), (Release{7, 0}));
  EXPECT_EQ(ParseRelease("8.0.1"), (Release{8, 0}));
  for (const char* text : {"", "7", "7.", "seven", "7.0beta"}) {
    EXPECT_EQ(ParseRelease(text), std::nullopt) << text;
  }
  EXPECT_EQ(ReleaseInPath("/opt/nvidia/deepstream/deepstream-7.1/lib/libnvds_meta.so"),
            (Release{7, 1}));
  EXPECT_EQ(ReleaseInPath("/usr/lib/libnvds_meta.so"), std::nullopt);
  setenv("DSMSG_DEEPSTREAM_VERSION", "8.0", 1);  // no variable says what is not there
  EXPECT_FALSE(FindDeepStream().present);
  unsetenv("DSMSG_DEEPSTREAM_VERSION");
}

// The structures of 9.0 and 9.1 have the same size; tracking in space is at other places.
TEST(EventTail, TrackingInSpaceIsReadWhereTheReleaseHasIt) {
  int hull[] = {1, 2, 3, 4};
  for (const EventTail& tail : {kTail7, kTail8, kTail90, kTail9, kTail91}) {
    std::vector<char> room(kEventBytes);
    const auto set = [&room](size_t offset, auto value) {
      if (offset != kNotThere) std::memcpy(room.data() + offset, &value, sizeof(value));
    };
    set(tail.has_track, true);
    set(tail.feet, std::array<float, 4>{5, 6, 7, 8});
    set(tail.visibility, 0.25F);
    set(tail.hull, NvDsConvexHull{hull, 2});
    set(tail.box3d, std::array<float, 13>{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 0.5F});
    EventReader reader(tail);
    const Frame frame = ReadOne(reinterpret_cast<NvDsEventMsgMeta*>(room.data()), &reader);
    ASSERT_EQ(frame.objects[0].track3d.count, 1U);
    const Track3d& track = frame.tracks3d[0];
    EXPECT_EQ(track.ground.x, 5);
    EXPECT_EQ(track.feet.y, 8);
    EXPECT_EQ(track.hull.count, tail.hull == kNotThere ? 0U : 2U);
    EXPECT_EQ(track.visibility, tail.visibility == kNotThere ? 0 : 0.25F);
    EXPECT_EQ(frame.objects[0].box3d.count, tail.box3d == kNotThere ? 0U : 1U);
    if (tail.box3d == kNotThere) continue;
    EXPECT_EQ(frame.boxes3d[0].values[11], 12);
    EXPECT_EQ(frame.boxes3d[0].confidence, 0.5F);
  }
}

// As a detector in space attaches it to an event of 8.0 or later.
TEST(EventReader, AnObjectInSpace) {
  struct Features {
    const float* values;
    unsigned count;
  };
  struct Box {
    float values[12], score;
    const char *label, *filter;
    float confidence;
    unsigned id;
    const void* features;
    const char* text;
  };
  static_assert(sizeof(Box) == 96);
  const float values[] = {0.5F, 1};
  const Features features = {values, 2};
  Box box = {{1, 2, 3}, 0.5F, "Forklift", nullptr, 0.75F, 12, &features, "F-9"};
  std::vector<char> room(kEventBytes);
  auto* const meta = reinterpret_cast<NvDsEventMsgMeta*>(room.data());
  meta->objType = static_cast<NvDsObjectType>(9);
  const auto set = [&room](size_t offset, auto value) {
    std::memcpy(room.data() + offset, &value, sizeof(value));
  };
  set(kTail9.ext_msg, &box);
  set(kTail9.ext_msg_size, static_cast<unsigned>(sizeof(box)));
  EventReader reader(kTail9);
  const Frame frame = ReadOne(meta, &reader);
  const Object& object = frame.objects[0];
  EXPECT_EQ(object.id, 12U);
  EXPECT_EQ(object.label, "Forklift");
  EXPECT_EQ(AttributeText(frame, object), "classConfidence=0.750000 ocrId=F-9 ");
  ASSERT_EQ(object.box3d.count, 1U);
  EXPECT_EQ(frame.boxes3d[0].values[2], 3);
  EXPECT_EQ(frame.boxes3d[0].embedding.count, 2U);
  // DeepStream's element tells its library the property embedding-filter like this.
  for (const auto& [filter, count] : {std::pair("Person", 0U), std::pair("Person, Forklift", 2U)}) {
    box.filter = filter;
    EXPECT_EQ(ReadOne(meta, &reader).boxes3d.at(0).embedding.count, count) << filter;
  }
  EXPECT_EQ(reader.TakeNote(), "");
  // In 8.0 the structure ends before the text.
  const std::vector<char> shorter(reinterpret_cast<const char*>(&box),
                                  reinterpret_cast<const char*>(&box) + kTail8.box3d_size);
  set(kTail8.ext_msg, shorter.data());
  set(kTail8.ext_msg_size, static_cast<unsigned>(shorter.size()));
  EventReader of_8(kTail8);
  const Frame old = ReadOne(meta, &of_8);
  EXPECT_EQ(old.objects[0].box3d.count, 1U);
  EXPECT_EQ(AttributeText(old, old.objects[0]), "classConfidence=0.750000 ");
}

// What a library compiled for one release reads of our events, it reads in the other's place too.
TEST(EventWriter, WritesForOldAndNewReleases) {
  const Frame rich = dsmsg_test::RichFrame();
  EventWriter writer(kTail7);
  auto config = std::make_shared<ConvConfig>();
  for (const EventTail& tail : {kTail7, kTail8}) {
    const auto events = writer.Make(rich);
    ASSERT_EQ(events.size(), 1U);
    EXPECT_EQ(events[0].eventType, NVDS_EVENT_ENTRY);
    EventReader reader(tail);
    Frame frame;
    ASSERT_TRUE(reader.Read(events, &frame).ok());
    Converter converter(config, {});
    const auto document = ParseJson(converter.Render(frame, 0));
    const auto& object = At(document, {"object"});
    EXPECT_EQ(Text(document, {"@timestamp"}), "2024-01-15T10:30:00.123Z");
    EXPECT_EQ(Text(document, {"event", "type"}), "entry");
    EXPECT_EQ(Text(document, {"videoPath"}), "/v/a.mp4");
    EXPECT_EQ(At(document, {"customMessage"})[0].GetString(), std::string("of the \"object\""));
    EXPECT_EQ(Text(object, {"person", "gender"}), "f");
    EXPECT_EQ(Number(object, {"person", "confidence"}), 0.625);
    EXPECT_EQ(Number(object, {"bbox", "bottomrighty"}), 260.5);
    EXPECT_EQ(At(object, {"maskoutline"}).Size(), 2U);
    EXPECT_EQ(At(object, {"maskoutline"})[1][5].GetDouble(), 12);
    EXPECT_EQ(At(object, {"signature"})[1].GetDouble(), -1.5);
    EXPECT_EQ(Number(object, {"location", "lon"}), -75.25);
    EXPECT_EQ(Number(object, {"coordinate", "z"}), 3.75);
    EXPECT_EQ(Text(object, {"poseType"}), "pose25D");
    EXPECT_EQ(Number(object, {"pose", "left-eye", "z"}), 2.5);
    EXPECT_EQ(At(object, {"embedding", "embedding_vector"})[2].GetDouble(), 2);
  }
}

TEST(EventWriter, EveryClassComesBack) {
  for (const EventTail& tail : {kTail7, kTail8}) {
    EventWriter writer(tail);
    EventReader reader(tail);
    Frame frame;
    frame.attributes = {{"brand", "b", {}}, {"type", "t", {}}, {"age", "40", {}}};
    for (const char* label : {"product", "truck", "face", "dog"}) {
      Object object;
      object.label = label;
      object.attribute_count = 3;
      frame.objects.push_back(object);
    }
    Frame back;
    ASSERT_TRUE(reader.Read(writer.Make(frame), &back).ok());
    ASSERT_EQ(back.objects.size(), 4U);
    EXPECT_EQ(AttributeText(back, back.objects[0]), "brand=b type=t ");
    EXPECT_EQ(AttributeText(back, back.objects[1]), "type=t ");
    EXPECT_EQ(AttributeText(back, back.objects[2]), "age=40 ");
    EXPECT_EQ(back.objects[3].label, "dog");
    EXPECT_EQ(back.objects[3].kind, ObjectKind::kOther);
    EXPECT_FALSE(back.objects[3].id);
  }
}

// From 8.0 on events have places for what an application found in the scene.
TEST(EventWriter, FindingsComeBack) {
  const Frame frame = dsmsg_test::Warehouse();
  for (const EventTail& tail : {kTail7, kTail8, kTail90, kTail91, kTail9}) {
    EventWriter writer(tail);
    for (int round = 0; round < 2; ++round) {  // again, with memory used again
      const auto events = writer.Make(frame);
      EventReader reader(tail.findings ? tail : kTail8);
      Frame back;
      ASSERT_TRUE(reader.Read(events, &back).ok());
      EXPECT_EQ(reader.TakeNote(), "");
      ASSERT_EQ(back.objects.size(), 2U);
      ASSERT_EQ(back.objects[0].findings.count, 1U);
      EXPECT_EQ(back.objects[1].findings.count, 0U);
      const Findings& found = back.findings[0];
      EXPECT_EQ(found.fov.count, 1U);
      const ObjectGroup& fov = back.groups[found.fov.first];
      EXPECT_EQ(fov.id, "hall");
      EXPECT_EQ(fov.text, "Person");
      EXPECT_EQ(fov.value, 3);
      EXPECT_EQ(back.attributes[fov.info.first].value, "Turin");
      const ObjectGroup& interaction = back.groups[found.interactions.first];
      EXPECT_EQ(interaction.text, "lifts a box");
      EXPECT_EQ(interaction.object_ids.count, 2U);
      EXPECT_EQ(back.coordinates[interaction.coordinates.first + 1], (Triple{3, 4, 5}));
      EXPECT_EQ(back.groups[found.congestions.first].value, 0.25);
      EXPECT_EQ(back.conversations[found.conversations.first].response, "A person.");
      EXPECT_EQ(back.conversations[found.conversations.first + 1].id, "");
      EXPECT_EQ(found.llm_embeddings.count, 2U);
      EXPECT_EQ(back.attributes[found.llm_info.first].value, "vlm-2");
      // Where the list of sources is, the older releases have something else.
      EXPECT_EQ(back.sources.size(), tail.findings ? 2U : 0U);
      if (!tail.findings) continue;
      EXPECT_EQ(back.sources[1].id, "cam-2");
      EXPECT_EQ(back.sources[0].time_ns, frame.sources[0].time_ns);
    }
    Frame plain;
    plain.objects.resize(2);
    Frame back;
    ASSERT_TRUE(EventReader(tail.findings ? tail : kTail8).Read(writer.Make(plain), &back).ok());
    EXPECT_EQ(back.objects[0].findings.count + back.sources.size(), 0U);
  }
}

TEST(EventWriter, ASegmentationComesBack) {
  Frame frame = dsmsg_test::Warehouse();
  frame.attributes = {{"width", "3", {}}, {"height", "2", {}}};
  frame.groups.clear();
  frame.findings = {{}};
  frame.findings[0].segmentation = Segmentation{3, 2, {0, 6}, {0, 2}};
  EventWriter writer(kTail91);
  EventReader reader(kTail91);
  Frame back;
  ASSERT_TRUE(reader.Read(writer.Make(frame), &back).ok());
  ASSERT_EQ(back.findings.size(), 1U);
  ASSERT_TRUE(back.findings[0].segmentation);
  EXPECT_EQ(back.findings[0].segmentation->width, 3U);
  EXPECT_EQ(back.classes, frame.classes);
}

TEST(EventWriter, TrackingInSpaceComesBack) {
  const Frame frame = dsmsg_test::Warehouse();
  for (const EventTail& tail : {kTail7, kTail8, kTail90, kTail91, kTail9}) {
    EventWriter writer(tail);
    EventReader reader(tail);
    Frame back;
    ASSERT_TRUE(reader.Read(writer.Make(frame), &back).ok());
    const bool known = tail.visibility != kNotThere;
    ASSERT_EQ(back.objects[0].track3d.count, known ? 1U : 0U);
    // The second object is one in space, as those of a scene.
    ASSERT_EQ(back.objects[1].box3d.count, tail.findings ? 1U : 0U);
    if (tail.findings) {
      const Box3d& box = back.boxes3d[back.objects[1].box3d.first];
      EXPECT_EQ(box.values, frame.boxes3d[0].values);
      EXPECT_EQ(box.confidence, 0.75F);
      EXPECT_EQ(back.Part(back.numbers, box.embedding)[2], 3);
      EXPECT_EQ(back.objects[1].label, "Box");
      EXPECT_EQ(back.objects[1].id, 6U);
    }
    if (!known) continue;
    const Track3d& track = back.tracks3d[0];
    EXPECT_EQ(track.ground.y, 2.5F);
    EXPECT_EQ(track.feet.x, 10);
    EXPECT_EQ(track.visibility, 0.5F);
    ASSERT_EQ(track.hull.count, 2U);
    EXPECT_EQ(back.points[track.hull.first + 1].y, 4);
    EXPECT_EQ(back.objects[0].box3d.count, tail.box3d == kNotThere ? 0U : 1U);
  }
}

}  // namespace
}  // namespace dsmsg::msgconv
