// SPDX-License-Identifier: Apache-2.0
// The destinations of a handlers file, and which messages each of them gets (docs/multi.md).
// Immutable once read: any thread.
#ifndef DSMSG_ADAPTORS_MULTI_HANDLERS_H_
#define DSMSG_ADAPTORS_MULTI_HANDLERS_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "adaptors/multi/document.h"
#include "core/base/status.h"
#include "core/driver/message.h"
#include "core/options/field_path.h"

namespace dsmsg::multi {

/// A bit for each handler.
using Set = uint64_t;
constexpr size_t kMostHandlers = 64;
constexpr Set Bit(size_t handler) { return Set{1} << handler; }

/// `path op value`, for example `objects.0.label = person` or `confidence >= 0.8`; a path alone:
/// the payload has that field. Numbers are compared as numbers. A missing field fulfils nothing.
struct Condition {
  enum class Op { kPresent, kEqual, kDifferent, kLess, kAtMost, kMore, kAtLeast };
  size_t field = 0;  // of Handlers::fields
  Op op = Op::kPresent;
  std::string value;

  bool Holds(const FieldValue& found) const;
};

struct Setting {
  std::string name, value;
  bool text = false;  // a string, as opposed to a number or bool
  size_t line = 0;
};

struct Handler {
  std::string name;
  size_t line = 0;
  std::string adaptor;     // path, file name or short name
  std::string connection;  // may hold a password
  std::vector<std::string> topics;
  std::vector<Condition> when;  // all of them must hold
  std::vector<Setting> config;

  const Setting* Find(std::string_view option) const;
};

class Handlers {
 public:
  /// Reads the enabled ones, in the order of the file. An error names file, line and handler, and
  /// never a connection string or the value of an option.
  static Result<Handlers> Load(const std::string& path);
  static Result<Handlers> Parse(std::string_view text, const std::string& origin);

  /// Those whose topics include this one.
  Set OfTopic(const Message& message) const;
  /// Those of `handlers` whose conditions the payload fulfils.
  Set Fulfilled(Set handlers, std::string_view payload) const;

  const std::vector<Handler>& all() const { return all_; }
  const std::string& origin() const { return origin_; }
  /// "file:line: handler \"name\": what"
  Status Wrong(const Handler& handler, size_t line, const std::string& what) const;

 private:
  Status Add(const Node& node);
  Status Read(const Node& node, Handler* handler);
  Status ReadKey(const Node& key, Handler* handler);
  Status ReadUri(const Node& key, Handler* handler);
  Status ReadConfig(const Node& key, Handler* handler);
  Status ReadWhen(const Node& key, Handler* handler);

  std::string origin_;
  std::vector<Handler> all_;
  FieldReader fields_;  // of all conditions
};

}  // namespace dsmsg::multi

#endif  // DSMSG_ADAPTORS_MULTI_HANDLERS_H_
