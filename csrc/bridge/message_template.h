// SPDX-License-Identifier: Apache-2.0
// Templates over a received message, such as `site/${topic[1]}`: a route of a bridge makes topic,
// key, headers and payload of what it sends with them. Compiled once. Immutable: any thread may
// render.
#ifndef DSMSG_BRIDGE_MESSAGE_TEMPLATE_H_
#define DSMSG_BRIDGE_MESSAGE_TEMPLATE_H_

#include <string>
#include <string_view>
#include <vector>

#include "core/base/status.h"
#include "core/options/field_path.h"
#include "dsmsg_ext.h"

namespace dsmsg::bridge {

enum class Encoding { kNone, kBase64 };

/// What the templates of a route have in common.
struct Rendering {
  Encoding key = Encoding::kNone, value = Encoding::kNone;
  char separator = '/';  // between the parts of a topic
};

class MessageTemplate {
 public:
  /// Fields are `${.value}`, `${.key}`, `${.headers.NAME}`, `${.topic}`, `${.topic[N]}` (N counts
  /// from 0, or from the end with -1), `${.ts}` (milliseconds since 1970), `${.ts_type}` (create,
  /// append or undefined), `${.offset}`, `${.partition}`, `${.id}`, `${.value.PATH}` (of a JSON or
  /// nv.Frame payload), and `${.}`, all of it as JSON; the first dot may be left out. `$$` is a
  /// dollar sign. An error names the position and what is allowed.
  static Result<MessageTemplate> Compile(std::string_view text);

  /// Appends to `out`. What the message does not have is empty.
  void Render(const DsmsgReceived& message, const Rendering& how, std::string* out) const;
  /// It is `${.value}` alone.
  bool is_value() const { return parts_.size() == 1 && parts_[0].field == Field::kValue; }

 private:
  enum class Field {
    kText,
    kAll,
    kValue,
    kValueField,
    kKey,
    kHeader,
    kTopic,
    kTopicPart,
    kTime,
    kTimeType,
    kOffset,
    kPartition,
    kId
  };
  struct Part {
    Field field;
    std::string text{};  // the text, or the header's name
    int index = 0;       // of the topic's part, or of the payload's field
  };
  Status AddField(std::string_view inside, size_t position);
  void AddText(std::string_view text);

  std::vector<Part> parts_;
  FieldReader fields_;  // of the payload
};

}  // namespace dsmsg::bridge

#endif  // DSMSG_BRIDGE_MESSAGE_TEMPLATE_H_
