// SPDX-License-Identifier: Apache-2.0
#include "core/spool/spool_message.h"

#include <glib.h>
#include <rapidjson/document.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <cstring>
#include <optional>

#include "core/base/encoding.h"

namespace dsmsg {
namespace {

using JsonWriter = rapidjson::Writer<rapidjson::StringBuffer>;
using rapidjson::SizeType;

// Appends to the buffer and returns the position there.
std::string_view Append(char** at, std::string_view bytes) {
  char* start = *at;
  if (!bytes.empty()) std::memcpy(start, bytes.data(), bytes.size());
  *at += bytes.size();
  return {start, bytes.size()};
}

size_t SizeOf(const Message& message) {
  size_t size = message.payload.size() + message.topic.size() + 1 + message.key.size();
  for (const auto& [name, value] : message.headers) size += name.size() + value.size();
  return size;
}

void WriteBytes(JsonWriter* writer, std::string_view bytes) {
  if (bytes.empty()) {
    writer->String("");
  } else if (g_utf8_validate(bytes.data(), static_cast<gssize>(bytes.size()), nullptr) == TRUE) {
    writer->String(bytes.data(), static_cast<SizeType>(bytes.size()));
  } else {
    const std::string text = ToBase64(bytes);
    writer->StartObject();
    writer->Key("base64");
    writer->String(text.data(), static_cast<SizeType>(text.size()));
    writer->EndObject();
  }
}

bool ReadBytes(const rapidjson::Value& value, std::string* bytes) {
  if (value.IsString()) {
    bytes->assign(value.GetString(), value.GetStringLength());
    return true;
  }
  if (!value.IsObject() || !value.HasMember("base64") || !value["base64"].IsString()) return false;
  const rapidjson::Value& text = value["base64"];
  std::optional<std::string> decoded = FromBase64({text.GetString(), text.GetStringLength()});
  if (decoded) *bytes = std::move(*decoded);
  return decoded.has_value();
}

}  // namespace

bool PackSpoolMessage(const Message& message, BufferPool& pool, SpoolMessage* packed) {
  packed->buffer = pool.Get(SizeOf(message));
  if (!packed->buffer) return false;
  char* at = reinterpret_cast<char*>(packed->buffer.data());
  packed->message = message;
  packed->message.payload = Append(&at, message.payload);
  packed->message.topic = Append(&at, message.topic);
  *at++ = '\0';
  packed->message.key = Append(&at, message.key);
  packed->headers.clear();
  packed->headers.reserve(message.headers.size());
  for (const auto& [name, value] : message.headers) {
    const std::string_view own_name = Append(&at, name);
    packed->headers.emplace_back(own_name, Append(&at, value));
  }
  packed->message.headers = packed->headers;
  packed->message.attempt = 0;
  return true;
}

uint64_t SpoolCost(const Message& message) {
  constexpr uint64_t kRow = 64;
  return SizeOf(message) + kRow + 8 * message.headers.size();
}

std::string EncodeSpoolHeaders(std::span<const Header> headers) {
  rapidjson::StringBuffer text;
  JsonWriter writer(text);
  writer.StartArray();
  for (const auto& [name, value] : headers) {
    writer.StartArray();
    WriteBytes(&writer, name);
    WriteBytes(&writer, value);
    writer.EndArray();
  }
  writer.EndArray();
  return {text.GetString(), text.GetSize()};
}

bool DecodeSpoolHeaders(std::string_view json,
                        std::vector<std::pair<std::string, std::string>>* headers) {
  headers->clear();
  rapidjson::Document document;
  // Not recursive: the row may have been edited.
  document.Parse<rapidjson::kParseIterativeFlag>(json.data(), json.size());
  if (document.HasParseError() || !document.IsArray()) return false;
  for (const rapidjson::Value& pair : document.GetArray()) {
    std::pair<std::string, std::string> header;
    if (!pair.IsArray() || pair.Size() != 2 || !ReadBytes(pair[0], &header.first) ||
        !ReadBytes(pair[1], &header.second)) {
      return false;
    }
    headers->push_back(std::move(header));
  }
  return true;
}

}  // namespace dsmsg
