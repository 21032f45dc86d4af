// SPDX-License-Identifier: Apache-2.0
// Reads messages back with RapidJSON, which knows nothing of our writer. Key order included.
#ifndef DSMSG_MSGCONV_TESTS_JSON_CHECK_H_
#define DSMSG_MSGCONV_TESTS_JSON_CHECK_H_

#include <gtest/gtest.h>
#include <rapidjson/document.h>

#include <string>
#include <string_view>
#include <vector>

namespace dsmsg_test {

inline rapidjson::Document ParseJson(std::string_view text) {
  rapidjson::Document document;
  document.Parse<rapidjson::kParseValidateEncodingFlag | rapidjson::kParseFullPrecisionFlag>(
      text.data(), text.size());
  EXPECT_FALSE(document.HasParseError()) << "at " << document.GetErrorOffset() << " in " << text;
  return document;
}

using Keys = std::vector<std::string>;

inline Keys KeysOf(const rapidjson::Value& value) {
  Keys keys;
  if (!value.IsObject()) {
    ADD_FAILURE() << "not an object";
    return keys;
  }
  for (const auto& member : value.GetObject()) keys.emplace_back(member.name.GetString());
  return keys;
}

/// The member at a path of names, e.g. At(doc, {"object", "bbox"}); a null value and a failure
/// where it is not.
inline const rapidjson::Value& At(const rapidjson::Value& value,
                                  std::initializer_list<const char*> path) {
  static const rapidjson::Value nothing;
  const rapidjson::Value* at = &value;
  for (const char* name : path) {
    if (!at->IsObject() || !at->HasMember(name)) {
      ADD_FAILURE() << "no member " << name;
      return nothing;
    }
    at = &(*at)[name];
  }
  return *at;
}

inline std::string Text(const rapidjson::Value& value, std::initializer_list<const char*> path) {
  const rapidjson::Value& at = At(value, path);
  EXPECT_TRUE(at.IsString());
  return at.IsString() ? std::string(at.GetString(), at.GetStringLength()) : std::string();
}

inline double Number(const rapidjson::Value& value, std::initializer_list<const char*> path) {
  const rapidjson::Value& at = At(value, path);
  EXPECT_TRUE(at.IsNumber());
  return at.IsNumber() ? at.GetDouble() : -1e99;
}

/// The numbers of an array.
inline std::vector<double> Numbers(const rapidjson::Value& value) {
  std::vector<double> numbers;
  if (!value.IsArray()) {
    ADD_FAILURE() << "not an array";
    return numbers;
  }
  for (const auto& each : value.GetArray()) numbers.push_back(each.GetDouble());
  return numbers;
}

/// A UUID of version 4 in lower case.
inline bool IsUuid(std::string_view text) {
  constexpr std::string_view kForm = "xxxxxxxx-xxxx-4xxx-vxxx-xxxxxxxxxxxx";
  if (text.size() != kForm.size()) return false;
  for (size_t i = 0; i < text.size(); ++i) {
    const std::string_view allowed = kForm[i] == 'x'   ? "0123456789abcdef"
                                     : kForm[i] == 'v' ? "89ab"
                                                       : kForm.substr(i, 1);
    if (allowed.find(text[i]) == std::string_view::npos) return false;
  }
  return true;
}

}  // namespace dsmsg_test

#endif  // DSMSG_MSGCONV_TESTS_JSON_CHECK_H_
