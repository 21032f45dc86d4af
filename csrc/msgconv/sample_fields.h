// SPDX-License-Identifier: Apache-2.0
// For sample_frame.cc: sets the values of a frame by the names that maps have for them. One thread
// at a time.
#ifndef DSMSG_MSGCONV_SAMPLE_FIELDS_H_
#define DSMSG_MSGCONV_SAMPLE_FIELDS_H_

#include <rapidjson/document.h>

#include <string>
#include <string_view>
#include <vector>

#include "msgconv/sample_frame.h"

namespace dsmsg::msgconv::sample {

using Json = rapidjson::Value;

/// What is wrong with which value. Thrown while a sample is read, and caught there.
struct Wrong {
  std::string where, what;
};
[[noreturn]] void Fail(std::string where, std::string what);

class Reader {
 public:
  explicit Reader(Sample* sample) : sample_(*sample) {}

  /// `prefix`: of the names of these values in maps. `where`: for errors.
  void Fields(std::string_view prefix, const std::string& where, const Json& values);
  void Objects(const Json& list);
  void Tracks(const Json& list);

 private:
  friend struct Setter;
  template <typename Each>
  void ForEach(const std::string& where, const Json& list, const Each& each);
  /// A value with this name, or false: it is a part of one, or unknown.
  bool Set(std::string_view name, const std::string& where, const Json& value);
  bool SetList(std::string_view name, const std::string& where, const Json& value);

  std::string_view Text(const std::string& where, const Json& value);
  double Number(const std::string& where, const Json& value);
  uint64_t Whole(const std::string& where, const Json& value);
  uint64_t Time(const std::string& where, const Json& value);
  Range Texts(const std::string& where, const Json& value);
  Range Table(const std::string& where, const Json& value);
  Range Floats(const std::string& where, const Json& value);
  Range Points(const std::string& where, const Json& value);
  Range Polygons(const std::string& where, const Json& value);
  Range Coordinates(const std::string& where, const Json& value);

  Object& object() { return sample_.frame.objects.back(); }
  TrackSummary& track() { return sample_.frame.tracks.back(); }
  /// The object's own entry in the list, which is created if missing.
  template <typename T>
  T& Own(std::vector<T>* list, Range* range) {
    if (range->count == 0) {
      *range = {static_cast<uint32_t>(list->size()), 1};
      list->emplace_back();
    }
    return (*list)[range->first];
  }

  Sample& sample_;
};

}  // namespace dsmsg::msgconv::sample

#endif  // DSMSG_MSGCONV_SAMPLE_FIELDS_H_
