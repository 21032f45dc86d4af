// SPDX-License-Identifier: Apache-2.0
// DeepStream's events, read in the layouts of its releases.
#include <glib.h>
#include <gmock/gmock.h>

#include <array>
#include <cstring>
#include <optional>
#include <vector>

#include "attribute_text.h"
#include "msgconv/event_reader.h"

namespace dsmsg::msgconv {
namespace {

using dsmsg_test::AttributeText;
using testing::HasSubstr;

char* Str(const char* text) { return const_cast<char*>(text); }

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

TEST(EventReader, EveryExtensionHasItsAttributesAndItsMask) {
  double polygon[] = {1, 2, 3, 4};
  GArray array = {reinterpret_cast<gchar*>(polygon), 4};
  GList mask = {&array, nullptr, nullptr};
  char* const text = Str("x");
  NvDsVehicleObjectExt vehicle = {nullptr, nullptr, nullptr, nullptr, nullptr, text, &mask};
  NvDsPersonObjectExt person = {nullptr, nullptr, nullptr, text, 0, &mask};
  NvDsFaceObjectExt face = {nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, text, 0, &mask};
  NvDsProductObjectExt product = {nullptr, nullptr, text, &mask};
  struct Case {
    int type;
    ObjectKind kind;
    void* ext;
    size_t size;
    const char* attributes;
  };
  const Case cases[] = {
      {6, ObjectKind::kVehicle, &vehicle, sizeof(vehicle), "license=x "},
      {7, ObjectKind::kPerson, &person, sizeof(person), "apparel=x "},
      {8, ObjectKind::kFace, &face, sizeof(face), "eyecolor=x "},
      {10, ObjectKind::kProduct, &product, sizeof(product), "shape=x "},
  };
  for (const Case& each : cases) {
    SCOPED_TRACE(each.type);
    NvDsEventMsgMeta meta{};
    meta.objType = static_cast<NvDsObjectType>(each.type);
    meta.extMsg = each.ext;
    meta.extMsgSize = static_cast<unsigned>(each.size);
    EventReader reader(kTail7);
    const Frame frame = ReadOne(&meta, &reader);
    EXPECT_EQ(frame.objects[0].kind, each.kind);
    EXPECT_EQ(AttributeText(frame, frame.objects[0]), each.attributes);
    ASSERT_EQ(frame.objects[0].outlines.count, 1U);
    ASSERT_EQ(frame.outlines[0].count, 2U);
    EXPECT_EQ(frame.points[1].x, 3);
    EXPECT_EQ(reader.TakeNote(), "");
  }
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

// Of a list of sources that does not look right nothing is read, nor what comes before the fault.
TEST(EventReader, ASourceWithoutAnEndOfItsIdLeavesNone) {
  std::vector<char> room(kEventBytes);
  const int count = 2;
  std::memcpy(room.data() + finding::kSourceCount, &count, sizeof(count));
  std::memset(room.data() + finding::kSources + 136, 'x', 136);
  EventReader reader(kTail9);
  const Frame frame = ReadOne(reinterpret_cast<NvDsEventMsgMeta*>(room.data()), &reader);
  EXPECT_TRUE(frame.sources.empty());
  EXPECT_THAT(reader.TakeNote(), HasSubstr("list of sources does not look right"));
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

}  // namespace
}  // namespace dsmsg::msgconv
