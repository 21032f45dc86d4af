// SPDX-License-Identifier: Apache-2.0
// The text of a handlers file, JSON or INI, as one tree in which each value knows its line. Values
// and pure functions: any thread.
#ifndef DSMSG_ADAPTORS_MULTI_DOCUMENT_H_
#define DSMSG_ADAPTORS_MULTI_DOCUMENT_H_

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/status.h"

namespace dsmsg::multi {

struct Node {
  enum class Kind { kText, kNumber, kBool, kNull, kObject, kArray };
  Kind kind = Kind::kObject;
  std::string name;            // of a member of an object
  std::string text;            // of a text, number or bool, as written
  std::vector<Node> children;  // of an object or array, in the order of the file
  size_t line = 0;

  const Node* Find(std::string_view wanted) const;
};

/// JSON if the first character is '{', else INI with the groups [output.handlers.NAME] and
/// [output.handlers.NAME.config]. Names within an object are different (dashes and underscores are
/// the same). An error says the line and never repeats a value. `origin` stands for the file.
Result<Node> ParseDocument(std::string_view text, const std::string& origin);

/// "file:line: what"
Status Wrong(const std::string& origin, size_t line, const std::string& what);

}  // namespace dsmsg::multi

#endif  // DSMSG_ADAPTORS_MULTI_DOCUMENT_H_
