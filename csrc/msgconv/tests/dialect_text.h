// SPDX-License-Identifier: Apache-2.0
// Payloads as texts that are equal if the payloads say the same: members and maps in order of their
// names, numbers with their type, without what is random or of the moment.
#ifndef DSMSG_MSGCONV_TESTS_DIALECT_TEXT_H_
#define DSMSG_MSGCONV_TESTS_DIALECT_TEXT_H_

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <protozero/pbf_reader.hpp>
#include <regex>
#include <sstream>
#include <string>
#include <vector>

#include "json_check.h"

namespace dsmsg_test {

inline std::string ReadFile(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// ---------------------------------------------------------------- JSON

// Members in order of their names; numbers with their type.
inline void Canonical(const rapidjson::Value& value, const std::string& indent, std::string* out) {
  const std::string deeper = indent + "  ";
  if (value.IsObject()) {
    std::map<std::string, const rapidjson::Value*> members;
    for (const auto& member : value.GetObject()) {
      EXPECT_TRUE(members.emplace(member.name.GetString(), &member.value).second)
          << "twice: " << member.name.GetString();
    }
    out->append("{\n");
    for (const auto& [name, member] : members) {
      out->append(deeper).append(name).append(": ");
      Canonical(*member, deeper, out);
    }
    out->append(indent).append("}\n");
  } else if (value.IsArray()) {
    out->append("[\n");
    for (const auto& element : value.GetArray()) {
      out->append(deeper);
      Canonical(element, deeper, out);
    }
    out->append(indent).append("]\n");
  } else if (value.IsString()) {
    out->append("\"").append(value.GetString(), value.GetStringLength()).append("\"\n");
  } else if (value.IsNull()) {
    out->append("null\n");
  } else {
    std::ostringstream number;
    number.precision(17);
    value.IsDouble() ? number << value.GetDouble() << " (double)" : number << value.GetInt64();
    out->append(number.str()).append("\n");
  }
}

// Random ids and recent times have no value of their own.
inline std::string Comparable(std::string text) {
  static const std::regex uuid("[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}");
  static const std::regex now(R"("20(2[5-9]|[3-9]\d)-\d\d-\d\dT\d\d:\d\d:\d\d\.\d\d\dZ")");
  return std::regex_replace(std::regex_replace(text, uuid, "UUID"), now, "\"NOW\"");
}

inline std::string JsonText(std::string_view payload) {
  std::string text;
  Canonical(ParseJson(payload), "", &text);
  return Comparable(text);
}

// ---------------------------------------------------------------- protobuf

using protozero::pbf_wire_type;

// Fields of nv.Frame and below that are messages, lists of floats or of doubles, by their path.
enum class Shape { kText, kMessage, kEntry, kFloats, kDoubles };
inline Shape ShapeOf(const std::string& path) {
  static const std::map<std::string, Shape> shapes = {
      {".3", Shape::kMessage},      {".5", Shape::kMessage},       {".12", Shape::kEntry},
      {".5.2", Shape::kMessage},    {".5.5", Shape::kEntry},       {".5.6", Shape::kMessage},
      {".5.6.1", Shape::kFloats},   {".5.7", Shape::kMessage},     {".5.7.2", Shape::kMessage},
      {".5.7.2.2", Shape::kFloats}, {".5.14", Shape::kMessage},    {".5.14.1", Shape::kDoubles},
      {".5.2.7", Shape::kEntry},    {".5.12", Shape::kMessage},    {".5.13", Shape::kMessage},
      {".5.14.2", Shape::kMessage}, {".5.14.2.1", Shape::kFloats}, {".9", Shape::kMessage},
      {".9.2", Shape::kEntry},      {".7", Shape::kMessage},       {".11", Shape::kMessage}};
  const auto found = shapes.find(path);
  return found == shapes.end() ? Shape::kText : found->second;
}

inline void Dump(protozero::pbf_reader message, const std::string& path, std::string* out) {
  std::ostringstream text;
  std::vector<std::string> entries;
  while (message.next()) {
    const std::string field = path + "." + std::to_string(message.tag());
    if (ShapeOf(field) != Shape::kEntry) text << field << ": ";
    switch (message.wire_type()) {
      case pbf_wire_type::varint:
        text << message.get_int64() << "\n";
        continue;
      case pbf_wire_type::fixed32:
        text << message.get_float() << "\n";
        continue;
      case pbf_wire_type::fixed64:
        text << message.get_double() << "\n";
        continue;
      default:
        break;
    }
    switch (ShapeOf(field)) {
      case Shape::kText:
        text << message.get_string() << "\n";
        break;
      case Shape::kFloats:
        for (const float value : message.get_packed_float()) text << value << " ";
        text << "\n";
        break;
      case Shape::kDoubles:
        for (const double value : message.get_packed_double()) text << value << " ";
        text << "\n";
        break;
      case Shape::kMessage: {
        std::string inner;
        Dump(message.get_message(), field, &inner);
        text << "\n" << inner;
        break;
      }
      case Shape::kEntry: {  // the order of a map means nothing
        protozero::pbf_reader entry = message.get_message();
        std::string key, value;
        while (entry.next()) {
          std::string& part = entry.tag() == 1 ? key : value;
          part = entry.get_string();
        }
        entries.push_back(field + "[" + key + "]: " + value + "\n");
        break;
      }
    }
  }
  out->append(text.str());
  std::sort(entries.begin(), entries.end());
  for (const std::string& entry : entries) out->append(entry);
}

// The seconds of a recent time, with their fraction.
inline std::string ProtobufText(std::string_view payload) {
  std::string text;
  Dump(protozero::pbf_reader(payload.data(), payload.size()), "", &text);
  static const std::regex now(R"(\.3\.1: (17[4-9]|1[89]\d|2\d\d)\d{7}\n(\.3\.2: \d+\n)?)");
  return std::regex_replace(text, now, "NOW\n");
}

}  // namespace dsmsg_test

#endif  // DSMSG_MSGCONV_TESTS_DIALECT_TEXT_H_
