// SPDX-License-Identifier: Apache-2.0
// What an application found out about the scene of an event, in DeepStream's structures of 8.0 and
// later, written out here so that the compiler finds the offsets.
#include <glib.h>
#include <gmock/gmock.h>

#include <cstring>
#include <vector>

#include "msgconv/event_reader.h"

namespace dsmsg::msgconv {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

struct Metrics {
  const char *id, *type;
  int32_t count;
  const double* coordinates;
  unsigned coordinate_count;
  const char** object_ids;
  unsigned object_id_count;
  GHashTable* info;
};
struct Interaction {
  const char* id;
  const char** object_ids;
  unsigned object_id_count;
  const double* coordinates;
  unsigned coordinate_count;
  const char* description;
  GHashTable* info;
  int64_t time;
};
struct Congestion {
  const char* id;
  const char** object_ids;
  unsigned object_id_count;
  float amount;
  GHashTable* info;
  int64_t time;
};
struct Pixels {
  int32_t* mask;
  unsigned size;
  GHashTable* info;
};
struct Talk {
  const char *id, *query, *response;
};
struct LanguageModel {
  GHashTable* info;
  const Talk* conversations;
  unsigned conversation_count;
  NvDsEmbedding* embeddings;
  unsigned embedding_count;
};
struct SourceTimePair {
  char id[128];
  uint64_t time;
};
// The event between its sensor and its other attributes.
struct Event {
  char head[152];
  SourceTimePair sources[100];
  int source_count;
  void* box3d;
  const LanguageModel* llm;
  int interaction_count;
  const Interaction* interactions;
  int congestion_count;
  const Congestion* congestions;
  int fov_count;
  const Metrics* fov;
  const Pixels* segmentation;
  char tail[kEventBytes - 13832];
};
static_assert(sizeof(Event) == kEventBytes && offsetof(Event, tail) == kTail9.other_attrs);

class EventFindings : public testing::Test {
 protected:
  EventFindings() {
    g_hash_table_insert(size_, g_strdup("width"), g_strdup("3"));
    g_hash_table_insert(size_, g_strdup("height"), g_strdup("2"));
    g_hash_table_insert(info_, g_strdup("b"), g_strdup("2"));
    g_hash_table_insert(info_, g_strdup("a"), g_strdup("1"));
    event_.fov = &fov_;
    event_.interactions = &interaction_;
    event_.congestions = congestions_;
    event_.segmentation = &pixels_;
    event_.llm = &llm_;
    event_.fov_count = event_.interaction_count = 1;
    event_.congestion_count = 2;
    event_.source_count = 2;
    std::strcpy(event_.sources[0].id, "cam-1");
    std::strcpy(event_.sources[1].id, "cam-2");
    event_.sources[1].time = 77;
  }
  ~EventFindings() override {
    g_hash_table_unref(info_);
    g_hash_table_unref(size_);
  }
  Frame Read(const EventTail& tail) {
    auto* const meta = reinterpret_cast<NvDsEventMsgMeta*>(&event_);
    meta->objectId = label_;
    const NvDsEvent event = {NVDS_EVENT_ENTRY, meta};
    EventReader reader(tail);
    Frame frame;
    EXPECT_TRUE(reader.Read({&event, 1}, &frame).ok());
    note_ = reader.TakeNote();
    return frame;
  }
  static GHashTable* NewTable() {
    return g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
  }

  char label_[7] = "Person";
  GHashTable *const info_ = NewTable(), *const size_ = NewTable();
  const char* ids_[2] = {"5", "6"};
  double places_[6] = {1, 2, 3, 4, 5, 6};
  Metrics fov_ = {"hall", "Person", 3, places_, 2, ids_, 2, info_};
  Interaction interaction_ = {"i1", ids_, 1, places_, 1, "lifts a box", nullptr, 1};
  Congestion congestions_[2] = {{"ramp", ids_, 2, 0.25F, info_, 1},
                                {"dock", nullptr, 0, 0.5F, nullptr, 2}};
  int32_t classes_[6] = {1, 1, 0, 0, 2, 2};
  Pixels pixels_ = {classes_, 6, size_};
  Talk talks_[2] = {{"q1", "Who?", "A person."}, {nullptr, "Safe?", "Yes."}};
  float values_[3] = {0.5F, 1, 2};
  NvDsEmbedding embeddings_[1] = {{values_, 3}};
  LanguageModel llm_ = {info_, talks_, 2, embeddings_, 1};
  Event event_{};
  std::string note_;
};

TEST_F(EventFindings, AreReadFrom8On) {
  for (const EventTail& tail : {kTail8, kTail90, kTail91, kTail9}) {
    const Frame frame = Read(tail);
    EXPECT_EQ(note_, "");
    ASSERT_EQ(frame.objects[0].findings.count, 1U);
    const Findings& found = frame.findings[0];
    ASSERT_EQ(found.fov.count + found.interactions.count, 2U);
    ASSERT_EQ(found.congestions.count, 2U);
    const ObjectGroup& fov = frame.groups[found.fov.first];
    EXPECT_EQ(fov.id, "hall");
    EXPECT_EQ(fov.text, "Person");
    EXPECT_EQ(fov.value, 3);
    EXPECT_THAT(frame.Part(frame.texts, fov.object_ids), ElementsAre("5", "6"));
    EXPECT_THAT(frame.Part(frame.coordinates, fov.coordinates),
                ElementsAre(Triple{1, 2, 3}, Triple{4, 5, 6}));
    ASSERT_EQ(fov.info.count, 2U);
    EXPECT_EQ(frame.attributes[fov.info.first].name, "a");  // a table has no order of its own
    const ObjectGroup& interaction = frame.groups[found.interactions.first];
    EXPECT_EQ(interaction.text, "lifts a box");
    EXPECT_EQ(interaction.object_ids.count, 1U);
    EXPECT_EQ(interaction.coordinates.count, 1U);
    const ObjectGroup& dock = frame.groups[found.congestions.first + 1];
    EXPECT_EQ(dock.id, "dock");
    EXPECT_EQ(dock.value, 0.5);
    EXPECT_EQ(dock.object_ids.count + dock.coordinates.count + dock.info.count, 0U);
    ASSERT_TRUE(found.segmentation);
    EXPECT_EQ(found.segmentation->width, 3U);
    EXPECT_EQ(found.segmentation->height, 2U);
    EXPECT_THAT(frame.Part(frame.classes, found.segmentation->classes),
                ElementsAre(1, 1, 0, 0, 2, 2));
    ASSERT_EQ(found.conversations.count, 2U);
    EXPECT_EQ(frame.conversations[0].query, "Who?");
    EXPECT_EQ(frame.conversations[1].id, "");
    ASSERT_EQ(found.llm_embeddings.count, 1U);
    EXPECT_THAT(frame.Part(frame.numbers, frame.embeddings[0]), ElementsAre(0.5F, 1, 2));
    EXPECT_EQ(found.llm_info.count, 2U);
    ASSERT_EQ(frame.sources.size(), 2U);
    EXPECT_EQ(frame.sources[1].id, "cam-2");
    EXPECT_EQ(frame.sources[1].time_ns, 77U);
  }
}

TEST_F(EventFindings, AreNotLookedForWhereTheyAreNot) {
  const Frame frame = Read(kTailUnknown);
  EXPECT_TRUE(frame.findings.empty());
  EXPECT_TRUE(frame.sources.empty());
  event_ = {};
  EXPECT_EQ(Read(kTail91).objects[0].findings.count, 0U);
}

TEST_F(EventFindings, ThatDoNotLookRightAreLeftAlone) {
  event_.fov_count = -1;
  EXPECT_EQ(Read(kTail91).objects[0].findings.count, 0U);
  EXPECT_THAT(note_, HasSubstr("does not look right"));
  event_.fov_count = 1;
  event_.llm = reinterpret_cast<const LanguageModel*>(3);
  EXPECT_EQ(Read(kTail91).objects[0].findings.count, 0U);
  event_.llm = nullptr;
  event_.source_count = 101;
  EXPECT_TRUE(Read(kTail91).sources.empty());
  EXPECT_THAT(note_, HasSubstr("list of sources"));
  event_.source_count = 1;
  std::memset(event_.sources[0].id, 'x', sizeof(event_.sources[0].id));
  EXPECT_TRUE(Read(kTail91).sources.empty());
}

}  // namespace
}  // namespace dsmsg::msgconv
