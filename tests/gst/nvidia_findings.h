// SPDX-License-Identifier: Apache-2.0
// What an application found in the scene, as events of DeepStream 8 and later point to it. The
// structures are written out here a second time, as those of nvidia.h.
#ifndef DSMSG_TESTS_GST_NVIDIA_FINDINGS_H_
#define DSMSG_TESTS_GST_NVIDIA_FINDINGS_H_

#include <glib.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <vector>

namespace dsmsg_test::nvidia {

/// Groups of objects, a segmentation and a conversation. It owns everything but texts.
class FoundInScene {
 public:
  /// Offsets in an event: the sources with their times, and the counts of the lists of groups.
  static constexpr size_t kSources = 152, kSourceBytes = 13600, kSourceCount = 13752;
  static constexpr size_t kCounts[] = {13776, 13792, 13808};

  FoundInScene() {
    for (const char* name : {"width", "height"})
      g_hash_table_insert(table_, const_cast<char*>(name), const_cast<char*>("2"));
  }
  ~FoundInScene() { g_hash_table_unref(table_); }
  FoundInScene(const FoundInScene&) = delete;
  FoundInScene& operator=(const FoundInScene&) = delete;

  /// Makes the event point to it.
  void Attach(char* event) {
    const auto set = [event](size_t offset, auto value) {
      memcpy(event + offset, &value, sizeof(value));
    };
    memcpy(event + kSources, "cam-1", 6);
    set(kSourceCount, 2);
    set(13768, &llm);
    set(13776, 1U);
    set(13784, &interaction);
    set(13792, 1U);
    set(13800, &congestion);
    set(13808, 1U);
    set(13816, &fov);
    set(13824, &pixels);
  }

  /// Counts of what is elsewhere in memory.
  std::vector<uint32_t*> Counts() {
    return {
        &fov.id_count,        &fov.place_count, &interaction.id_count,   &interaction.place_count,
        &congestion.id_count, &pixels.count,    &llm.conversation_count, &llm.vector_count,
        &vector_.length};
  }

 private:
  struct Conversation {
    const char *id, *query, *response;
  };
  struct Vector {
    const float* values;
    uint32_t length;
  };
  std::array<const char*, 3> ids_ = {"1", "2", nullptr};
  std::array<double, 6> places_ = {1, 2, 3, 4, 5, 6};
  std::array<int32_t, 4> classes_ = {0, 1, 1, -1};
  std::array<float, 3> values_ = {0.5F, 0.25F, 1};
  std::array<Conversation, 2> conversations_ = {{{"1", "who?", "a person"}, {}}};
  Vector vector_ = {values_.data(), 3};
  GHashTable* const table_ = g_hash_table_new(g_str_hash, g_str_equal);

 public:
  struct {
    const char *id, *type;
    int32_t count;
    const double* places;
    uint32_t place_count;
    const char** ids;
    uint32_t id_count;
    GHashTable* info;
  } fov = {"hall", "Person", 3, places_.data(), 2, ids_.data(), 3, table_};
  struct {
    const char* id;
    const char** ids;
    uint32_t id_count;
    const double* places;
    uint32_t place_count;
    const char* what;
    GHashTable* info;
    void* more;
  } interaction = {"hall", ids_.data(), 3, places_.data(), 2, "lifts a box", table_, nullptr};
  struct {
    const char* id;
    const char** ids;
    uint32_t id_count;
    float amount;
    GHashTable* info;
    void* more;
  } congestion = {"hall", ids_.data(), 3, 0.25F, table_, nullptr};
  struct {
    const int32_t* classes;
    uint32_t count;
    GHashTable* info;
  } pixels = {classes_.data(), 4, table_};
  struct {
    GHashTable* info;
    const Conversation* conversations;
    uint32_t conversation_count;
    const Vector* vectors;
    uint32_t vector_count;
  } llm = {table_, conversations_.data(), 2, &vector_, 1};
  static_assert(sizeof(fov) == 64 && sizeof(interaction) == 64 && sizeof(congestion) == 40 &&
                sizeof(pixels) == 24 && sizeof(llm) == 40);
};

}  // namespace dsmsg_test::nvidia

#endif  // DSMSG_TESTS_GST_NVIDIA_FINDINGS_H_
