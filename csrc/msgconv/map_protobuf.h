// SPDX-License-Identifier: Apache-2.0
// Writes the message of a map (map.h) with format: protobuf, for one scope: what has its default
// value is not written, as in proto3. No allocation once its buffers are large enough. One thread
// at a time.
#ifndef DSMSG_MSGCONV_MAP_PROTOBUF_H_
#define DSMSG_MSGCONV_MAP_PROTOBUF_H_

#include <string>
#include <string_view>

#include "msgconv/map.h"
#include "msgconv/map_writer.h"
#include "msgconv/protobuf_parts.h"

namespace dsmsg::msgconv {

class MapProtobuf {
 public:
  /// Valid until the next call.
  std::string_view Message(const Map& map, const MapScope& scope);

 private:
  using Element = Map::Element;
  using Writer = protobuf::pbf_writer;

  void Members(Writer* out, const Element& element, const MapScope& scope);
  /// `in_list`: it is there even if it has its default value.
  void Field(Writer* out, const NvField& field, const Element& element, const MapScope& scope,
             bool in_list);
  /// Of an array or of a list over objects, ... `with` is called for each element and its scope.
  template <typename Do>
  void Items(const Element& element, const MapScope& scope, const Do& with);
  template <typename Packed>
  void Pack(Writer* out, const NvField& field, const Element& element, const MapScope& scope);
  void Nested(Writer* out, const NvField& field, const Element& element, const MapScope& scope,
              bool in_list);
  void Table(Writer* out, const NvField& field, const Element& element, const MapScope& scope);
  void Single(Writer* out, const NvField& field, const Element& element, const MapScope& scope,
              bool in_list);
  static void List(Writer* out, const NvField& field, const MapValue& value, const Frame& frame);
  /// False: it has no value.
  bool TextOf(const Element& element, const MapScope& scope, std::string_view* text);
  static bool NumberOf(const Element& element, const MapScope& scope, double* number);

  std::string out_, text_;
  MapWriter json_;  // of $json
};

}  // namespace dsmsg::msgconv

#endif  // DSMSG_MSGCONV_MAP_PROTOBUF_H_
