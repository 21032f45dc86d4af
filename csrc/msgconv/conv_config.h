// SPDX-License-Identifier: Apache-2.0
// The converter's configuration file: what is known about each camera, its place and its analytics.
//
//   [sensor0]     enable, type, id, location "lat;lon;alt", description, coordinate "x;y;z"
//   [place0]      enable, id, type, name, location, coordinate, place-sub-field1..3
//   [analytics0]  enable, id, description, source, version
//   [message-converter]  minimal-format, dialect
//
// INI, YAML with the same names (file.yml, file.yaml), or DeepStream's CSV (file.csv).
// The number of a group is the source id. Immutable after Load: any thread may read.
#ifndef DSMSG_MSGCONV_CONV_CONFIG_H_
#define DSMSG_MSGCONV_CONV_CONFIG_H_

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/status.h"
#include "msgconv/model.h"

namespace dsmsg::msgconv {

enum class MinimalFormat { kObjects, kDelimited };
/// How messages are written: as dsmsg does, or as the converter of DeepStream 9 does.
enum class Dialect { kDsmsg, kDeepStream };

struct SensorInfo {
  bool enable = true;
  std::string id, type, description;
  std::optional<Triple> location, coordinate;
};

struct PlaceInfo {
  bool enable = true;
  std::string id, type, name;
  std::optional<Triple> location, coordinate;
  std::array<std::string, 3> sub_field;
};

struct AnalyticsInfo {
  bool enable = true;
  std::string id, description, source, version;
};

class ConvConfig {
 public:
  /// An empty configuration: no groups.
  ConvConfig() = default;
  /// An unreadable file, a malformed line, a bad value or a duplicate group is an error with file
  /// and line. The file name's extension decides the form. Unknown groups and keys become
  /// warnings().
  static Result<ConvConfig> Load(const std::string& path);
  /// The same from text; `origin` stands for the file name in messages.
  static Result<ConvConfig> Parse(std::string_view text, const std::string& origin);

  /// The source's group, or nullptr when it is absent or has enable=0.
  const SensorInfo* Sensor(uint32_t source) const { return Enabled(sensors_, source); }
  const PlaceInfo* Place(uint32_t source) const { return Enabled(places_, source); }
  const AnalyticsInfo* Analytics(uint32_t source) const { return Enabled(analytics_, source); }

  /// The groups that the file lacks for this source, as text: "[sensor3], [place3]"; "" if none is
  /// missing. A group with enable=0 is not missing. `sensor_only`: ignores the others.
  std::string Missing(uint32_t source, bool sensor_only) const;

  /// `minimal-format` of the group [message-converter], for hosts that have no such property.
  std::optional<MinimalFormat> minimal_format() const { return minimal_format_; }
  /// `dialect` of the same group.
  std::optional<Dialect> dialect() const { return dialect_; }

  /// Read from CSV, which says little about a place and nothing about analytics.
  bool is_csv() const { return is_csv_; }
  /// Name of the file; "" for a default-constructed one.
  const std::string& origin() const { return origin_; }
  const std::vector<std::string>& warnings() const { return warnings_; }

 private:
  friend class ConvConfigParser;
  template <class T>
  using Table = std::map<uint32_t, T>;
  template <class T>
  static const T* Enabled(const Table<T>& table, uint32_t source) {
    const auto found = table.find(source);
    return found == table.end() || !found->second.enable ? nullptr : &found->second;
  }

  std::string origin_;
  Table<SensorInfo> sensors_;
  Table<PlaceInfo> places_;
  Table<AnalyticsInfo> analytics_;
  std::optional<MinimalFormat> minimal_format_;
  std::optional<Dialect> dialect_;
  bool is_csv_ = false;
  std::vector<std::string> warnings_;
};

}  // namespace dsmsg::msgconv

#endif  // DSMSG_MSGCONV_CONV_CONFIG_H_
