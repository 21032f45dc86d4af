// SPDX-License-Identifier: Apache-2.0
// dsmsgconv: lines and zones of the file `space`.
#include <gmock/gmock.h>

#include <chrono>
#include <filesystem>
#include <thread>

#include "late_support.h"
#include "msgconv/tests/json_check.h"
#include "support/server_process.h"

namespace dsmsg_test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using Strings = std::vector<std::string>;

// The middle of the picture's height, 16, is the line.
const std::string kGate = R"(
    lines:
      gate: {points: [[0, 0.5], [1, 0.5]], directions: [in, out], anchor: top-left}
)";
const std::string kYard = R"(
    zones:
      yard: {points: [[0.5, 0], [1, 0], [1, 1], [0.5, 1]], anchor: top-left}
)";

/// A picture at this time with a person there; id < 0: without.
GstBuffer* At(double seconds, int id, guint x = 10, guint y = 4) {
  GstBuffer* buffer = Picture();
  GST_BUFFER_PTS(buffer) = static_cast<GstClockTime>(seconds * GST_SECOND);
  if (id >= 0) {
    GstVideoRegionOfInterestMeta* region = AddRegion(buffer, "person", 0.9);
    region->x = x;
    region->y = y;
    AddTracking(region, id);
  }
  return buffer;
}

std::string Properties(const TextFile& file, const std::string& more = "") {
  return "msg2p-newapi=true space=" + file.path() + " " + more;
}

/// "line-crossing gate" of each message.
Strings TypesOf(const Strings& payloads) {
  Strings types;
  for (const std::string& payload : payloads) {
    const auto document = ParseJson(payload);
    std::string type(Text(document, {"event", "type"}));
    const auto& object = dsmsg_test::At(document, {"object"});
    if (object.HasMember("events")) {
      EXPECT_EQ(object["events"].Size(), 1U) << payload;
      if (object["events"][0].HasMember("name"))
        type += " " + std::string(object["events"][0]["name"].GetString());
    }
    types.push_back(type);
  }
  return types;
}

Strings Types(ConvHarness* h, GstBuffer* buffer) { return TypesOf(h->Payloads(buffer)); }

/// DeepStream's event 401, a pad was removed, or 402, a source's stream ends.
GstEvent* SourceEnd(int number, guint source) {
  const int type =
      GST_EVENT_MAKE_TYPE(number, GST_EVENT_TYPE_DOWNSTREAM | GST_EVENT_TYPE_SERIALIZED);
  return gst_event_new_custom(
      static_cast<GstEventType>(type),
      gst_structure_new("nv-stream-eos", "source-id", G_TYPE_UINT, source, nullptr));
}

TEST(ConvSpace, SendsEventsAndNothingElse) {
  const TextFile rules("sources: {\"*\": {}}");
  const TextFile both("sources:\n  0:" + kGate + kYard);
  ConvHarness none(Properties(rules));
  EXPECT_THAT(none.Payloads(At(0, 5)), IsEmpty());
  ConvHarness h(Properties(both));
  EXPECT_THAT(Types(&h, At(0, 5)), IsEmpty());
  EXPECT_THAT(Types(&h, At(0.1, 5, 10, 20)), ElementsAre("line-crossing gate"));
  EXPECT_THAT(Types(&h, At(0.2, 5, 40, 20)), ElementsAre("zone-enter yard"));
  // Two events of an object are two messages.
  EXPECT_THAT(Types(&h, At(0.3, 5, 10, 4)), ElementsAre("line-crossing gate", "zone-leave yard"));
  EXPECT_THAT(h.Messages(), IsEmpty());
}

TEST(ConvSpace, SaysWhatItCounted) {
  const TextFile file("send: all\nsources:\n  0:" + kGate + kYard);
  ConvHarness h(Properties(file, "frame-interval=1 payload-type=minimal"));
  EXPECT_THAT(h.Payloads(At(0, 5, 40, 4)), SizeIs(1));
  const auto payloads = h.Payloads(At(0.1, 5, 40, 20));
  ASSERT_THAT(payloads, SizeIs(1));
  EXPECT_THAT(payloads[0], HasSubstr(R"({"kind":"zone","name":"yard","value":1})"));
  EXPECT_THAT(payloads[0], HasSubstr(R"({"kind":"line","name":"gate.in","value":1})"));
  EXPECT_THAT(payloads[0], HasSubstr(R"({"kind":"lineTotal","name":"gate.in","value":1})"));
  EXPECT_THAT(payloads[0], HasSubstr(R"("zones":["yard"],"lines":["gate.in"])"));
}

TEST(ConvSpace, SendsChanges) {
  const TextFile file("send: changed\nlost-after: 1\nsources:\n  0:" + kYard);
  ConvHarness h(Properties(file, "payload-type=minimal"));
  EXPECT_THAT(h.Payloads(At(0, 5)), SizeIs(1));
  EXPECT_THAT(h.Payloads(At(0.1, 5, 11)), IsEmpty());
  EXPECT_THAT(h.Payloads(At(0.2, -1)), IsEmpty());
  EXPECT_THAT(h.Payloads(At(0.3, 5, 40)), SizeIs(1));
  EXPECT_THAT(h.Payloads(At(2, -1)), SizeIs(1));  // it has left the zone
  EXPECT_THAT(h.Payloads(At(2.1, -1)), IsEmpty());
}

TEST(ConvSpace, TellsAnEmptyPictureAsAChange) {
  const TextFile file("send: changed\nlost-after: 1\nsources: {0: {}}");
  ConvHarness h(Properties(file, "payload-type=minimal"));
  EXPECT_THAT(h.Payloads(At(0, 5)), SizeIs(1));
  const auto payloads = h.Payloads(At(2, -1));
  ASSERT_THAT(payloads, SizeIs(1));
  EXPECT_EQ(dsmsg_test::At(ParseJson(payloads[0]), {"objects"}).Size(), 0U);
}

TEST(ConvSpace, GoesWithEventsFromTrackingIds) {
  const TextFile file("tracks: true\nlost-after: 1\nsources:\n  0:" + kYard);
  ConvHarness h(Properties(file, "events=track"));
  EXPECT_THAT(Types(&h, At(0, 5, 40, 4)), ElementsAre("entry", "zone-enter yard"));
  EXPECT_THAT(Types(&h, At(0.5, 5, 40, 4)), IsEmpty());
  EXPECT_THAT(Types(&h, At(2, -1)),
              testing::UnorderedElementsAre("zone-leave yard", "track-end", "exit"));
}

TEST(ConvSpace, IsReachedFromMaps) {
  const TextFile file("sources:\n  0:" + kGate);
  const TextFile map(
      "each: event\nmessage: {what: \"${object.event}\", lines: \"${object.lines}\"}\n");
  ConvHarness h(Properties(file, "map=" + map.path()));
  EXPECT_THAT(h.Payloads(At(0, 5)), IsEmpty());
  EXPECT_THAT(h.Payloads(At(0.1, 5, 10, 20)),
              ElementsAre(R"({"what":"line-crossing","lines":["gate.in"]})"));
}

TEST(ConvSpace, MapsForTracksNeedNoFile) {
  const TextFile each("each: track\nmessage: {id: \"${track.id}\", label: \"${track.label}\"}\n");
  ConvHarness h("msg2p-newapi=true map=" + each.path());
  EXPECT_THAT(h.Payloads(At(0, 5)), IsEmpty());
  EXPECT_THAT(h.Payloads(At(0.5, 5)), IsEmpty());
  EXPECT_THAT(h.Payloads(At(600, -1)), ElementsAre(R"({"id":5,"label":"person"})"));

  const TextFile list("each: frame\nmessage: {ended: {$each: track, $item: \"${track.id}\"}}\n");
  ConvHarness frames("msg2p-newapi=true frame-interval=1 map=" + list.path());
  EXPECT_THAT(frames.Payloads(At(0, 5)), ElementsAre(R"({"ended":[]})"));
  EXPECT_THAT(frames.Payloads(At(600, -1)), ElementsAre(R"({"ended":[5]})"));
  EXPECT_THAT(frames.Payloads(At(601, 6)), ElementsAre(R"({"ended":[]})"));
  EXPECT_THAT(PayloadsBefore(&frames, gst_event_new_eos()), ElementsAre(R"({"ended":[6]})"));
}

TEST(ConvSpace, TracksEndWithTheStream) {
  const TextFile file("tracks: true\nsources:\n  0:" + kYard);
  ConvHarness h(Properties(file));
  EXPECT_THAT(Types(&h, At(0, 5, 40, 4)), ElementsAre("zone-enter yard"));
  EXPECT_THAT(Types(&h, At(0.5, 6, 10, 4)), IsEmpty());
  const Strings payloads = PayloadsBefore(&h, gst_event_new_eos());
  EXPECT_THAT(TypesOf(payloads),
              testing::UnorderedElementsAre("zone-leave yard", "track-end", "track-end"));
  EXPECT_THAT(payloads[0], HasSubstr(R"({"kind":"zone","name":"yard","value":0})"));
}

TEST(ConvSpace, CountsAreClosedAtTheEnd) {
  const TextFile file(
      "send: changed\nsources:\n  0:\n    zones:\n      yard: {points: [[0.5, 0], [1, 0], "
      "[1, 1], [0.5, 1]], anchor: top-left, events: []}\n");
  const dsmsg::testing::TemporaryFolder folder;
  ConvHarness h(Properties(file, "payload-type=minimal debug-payload-dir=" + folder.path()));
  EXPECT_THAT(h.Payloads(At(0, 5, 40, 4)), SizeIs(1));
  const Strings payloads = PayloadsBefore(&h, gst_event_new_eos());
  ASSERT_THAT(payloads, SizeIs(1));
  EXPECT_TRUE(std::filesystem::exists(folder.File("source0-frame00000000-000.json")));
  EXPECT_TRUE(std::filesystem::exists(folder.File("source0-frame00000000-001.json")));
  EXPECT_THAT(payloads[0], HasSubstr(R"("objects":[])"));
  EXPECT_THAT(payloads[0], HasSubstr(R"({"kind":"zone","name":"yard","value":0})"));
}

TEST(ConvSpace, TracksEndWithTheirSource) {
  const TextFile file("tracks: true\nsources:\n  0:" + kYard);
  for (const int number : {401, 402}) {
    ConvHarness h(Properties(file));
    EXPECT_THAT(Types(&h, At(0, 5, 40, 4)), ElementsAre("zone-enter yard"));
    EXPECT_THAT(PayloadsBefore(&h, SourceEnd(number, 3)), IsEmpty());
    EXPECT_THAT(TypesOf(PayloadsBefore(&h, SourceEnd(number, 0))),
                ElementsAre("zone-leave yard", "track-end"));
    EXPECT_THAT(PayloadsBefore(&h, SourceEnd(number, 0)), IsEmpty());
    // The same source comes again.
    EXPECT_THAT(Types(&h, At(0.1, 5, 40, 4)), ElementsAre("zone-enter yard"));
    EXPECT_THAT(TypesOf(PayloadsBefore(&h, gst_event_new_eos())),
                ElementsAre("zone-leave yard", "track-end"));
  }
}

TEST(ConvSpace, TracksOfBeforeASeekEndWithTheStream) {
  const TextFile file("tracks: true\nsources: {0: {}}");
  ConvHarness h(Properties(file));
  EXPECT_THAT(Types(&h, At(5, 5)), IsEmpty());
  EXPECT_THAT(PayloadsBefore(&h, gst_event_new_flush_start()), IsEmpty());
  EXPECT_THAT(PayloadsBefore(&h, gst_event_new_flush_stop(TRUE)), IsEmpty());
  GstSegment segment;
  gst_segment_init(&segment, GST_FORMAT_TIME);
  EXPECT_THAT(PayloadsBefore(&h, gst_event_new_segment(&segment)), IsEmpty());
  EXPECT_THAT(TypesOf(PayloadsBefore(&h, gst_event_new_eos())), ElementsAre("track-end"));
}

TEST(ConvSpace, ATrackThatOnlyEndsIsNoMessage) {
  const TextFile file("sources:\n  0:" + kGate);
  ConvHarness h(Properties(file));
  EXPECT_THAT(h.Payloads(At(0, 5)), IsEmpty());
  EXPECT_THAT(h.Payloads(At(10, -1)), IsEmpty());
  EXPECT_THAT(h.Payloads(At(11, 6)), IsEmpty());
  EXPECT_THAT(PayloadsBefore(&h, gst_event_new_eos()), IsEmpty());
}

TEST(ConvSpace, FindsItsCameraByName) {
  const TextFile config("[sensor0]\nenable=1\ntype=Camera\nid=NORTH\n");
  const TextFile file("sources:\n  NORTH:" + kYard);
  ConvHarness h(Properties(file, "config=" + config.path()));
  EXPECT_THAT(Types(&h, At(0, 5, 40)), ElementsAre("zone-enter yard"));
}

TEST(ConvSpace, AMistakeIsToldAtTheStart) {
  const TextFile file("sources:\n  0:\n    line: {}\n");
  ConvElement element(Properties(file));
  EXPECT_EQ(gst_element_set_state(element.get(), GST_STATE_PAUSED), GST_STATE_CHANGE_FAILURE);
  const auto messages = element.Messages(GST_MESSAGE_ERROR);
  ASSERT_THAT(messages, SizeIs(1));
  EXPECT_EQ(messages[0].text,
            file.path() + ":3:5: there is no \"line\" here (did you mean lines?)");
}

TEST(ConvSpace, NeedsDetections) {
  const TextFile file("sources: {}");
  ConvElement element("space=" + file.path());
  EXPECT_EQ(gst_element_set_state(element.get(), GST_STATE_PAUSED), GST_STATE_CHANGE_FAILURE);
  EXPECT_THAT(element.Messages(GST_MESSAGE_ERROR).at(0).text, HasSubstr("msg2p-newapi=true"));
}

TEST(ConvSpace, WithoutASizeItWarnsOnce) {
  const TextFile file("sources:\n  0:" + kYard);
  ConvHarness h(Properties(file), "dsmsgconv", "application/x-detections");
  EXPECT_THAT(Types(&h, At(0, 5, 40)), IsEmpty());
  EXPECT_THAT(Types(&h, At(0.1, 5, 40)), IsEmpty());
  const auto messages = h.Messages(GST_MESSAGE_WARNING);
  ASSERT_THAT(messages, SizeIs(1));
  EXPECT_THAT(messages[0].text, HasSubstr("the size of the picture is not known"));
}

TEST(ConvSpace, ReadsItsFileAgain) {
  const TextFile file("sources:\n  0:" + kGate);
  ConvHarness h(Properties(file));
  EXPECT_THAT(Types(&h, At(0, 5)), IsEmpty());
  EXPECT_THAT(Types(&h, At(0.01, 5, 10, 20)), ElementsAre("line-crossing gate"));
  double time = 0.02;
  // Frames go on until the change has been noticed.
  const auto until = [&](const auto& condition) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (std::chrono::steady_clock::now() < deadline) {
      if (condition()) return true;
      std::this_thread::yield();
    }
    return false;
  };
  std::ofstream(file.path()) << "sources:\n  0:" + kGate + "    oops: {}\n";
  std::vector<Said> warnings;
  ASSERT_TRUE(until([&] {
    EXPECT_THAT(Types(&h, At(time += 1e-6, 5, 10, 20)), IsEmpty());
    warnings = h.Messages(GST_MESSAGE_WARNING);
    return !warnings.empty();
  }));
  EXPECT_THAT(warnings[0].text, HasSubstr("there is no \"oops\" here"));
  EXPECT_THAT(warnings[0].text, HasSubstr("(the lines and zones stay as they were)"));
  EXPECT_THAT(Types(&h, At(time += 0.01, 5, 10, 4)), ElementsAre("line-crossing gate"));

  std::ofstream(file.path()) << "send: all\nsources:\n  0:" + kGate + kYard;
  Strings types;
  ASSERT_TRUE(until([&] {
    types = Types(&h, At(time += 1e-6, 5, 40, 4));
    return !types.empty();
  }));
  EXPECT_THAT(types, ElementsAre("zone-enter yard"));
  // The line has kept its count.
  const auto payloads = h.Payloads(At(time += 0.01, 5, 10, 20));
  ASSERT_THAT(payloads, SizeIs(2));
  EXPECT_THAT(payloads[0], HasSubstr(R"({"kind":"lineTotal","name":"gate.in","value":2})"));
  EXPECT_THAT(payloads[0], HasSubstr(R"({"kind":"lineTotal","name":"gate.out","value":1})"));
  EXPECT_THAT(h.Messages(), IsEmpty());
}

}  // namespace
}  // namespace dsmsg_test
