// SPDX-License-Identifier: Apache-2.0
// Templates such as `events/${sensor.id}`, compiled once at connect. Immutable: any thread may
// render.
#ifndef DSMSG_CORE_OPTIONS_TOPIC_TEMPLATE_H_
#define DSMSG_CORE_OPTIONS_TOPIC_TEMPLATE_H_

#include <string>
#include <string_view>
#include <vector>

#include "core/base/status.h"
#include "core/options/field_path.h"

namespace dsmsg {

class Template {
 public:
  /// `${path}` is a field of the payload, `${topic}` the caller's topic, `${path:-text}` has a
  /// default, `$$` is a dollar sign. An error names the position and shows the right form.
  static Result<Template> Compile(std::string_view text);

  /// Writes a value, which comes from outside, so that it cannot break what the template is for.
  /// `topic`: it is the caller's topic.
  using Append = void (*)(std::string_view value, bool topic, std::string* out);
  /// Control characters become '_': for topics and keys.
  static void AppendClean(std::string_view value, bool topic, std::string* out);

  /// Appends to `out`, values with `append`. Returns false if a field without default was missing:
  /// it is then rendered as "unknown".
  bool Render(std::string_view payload, std::string_view caller_topic, std::string* out,
              Append append = AppendClean) const;

  bool constant() const { return reader_.size() == 0 && !uses_topic_; }
  /// It contains a `${topic}` without a default: without a caller's topic it renders "unknown".
  bool needs_topic() const;

 private:
  /// `inside` is the text between ${ and }, `position` that of the ${.
  Status AddField(std::string_view inside, size_t position);

  struct Part {
    enum class Kind { kText, kField, kTopic } kind;
    std::string text;  // literal, or the default
    bool has_default = false;
    size_t field = 0;
  };
  std::vector<Part> parts_;
  FieldReader reader_;
  bool uses_topic_ = false;
};

}  // namespace dsmsg

#endif  // DSMSG_CORE_OPTIONS_TOPIC_TEMPLATE_H_
