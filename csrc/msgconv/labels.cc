// SPDX-License-Identifier: Apache-2.0
#include "msgconv/labels.h"

#include <glib.h>

#include <memory>

#include "core/base/text_file.h"
#include "msgconv/config_entries.h"

namespace dsmsg::msgconv {
namespace {

// Positions are class numbers, so that an empty name in the middle of a list keeps its place.
void Split(std::string_view text, std::vector<std::string>* names) {
  for (;;) {
    const size_t end = text.find_first_of(",;");
    names->emplace_back(Trim(text.substr(0, end)));
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
  }
  if (names->back().empty()) names->pop_back();
}

bool LooksLikePath(std::string_view spec) {
  return spec.find('/') != std::string_view::npos || spec.ends_with(".txt") ||
         spec.ends_with(".names");
}

}  // namespace

Result<Labels> Labels::Load(const std::string& spec) {
  Labels labels;
  if (spec.empty()) return labels;
  if (!LooksLikePath(spec) && !g_file_test(spec.c_str(), G_FILE_TEST_IS_REGULAR)) {
    Split(spec, &labels.names_);
    return labels;
  }
  gchar* raw = nullptr;
  gsize size = 0;
  GError* error = nullptr;
  if (!g_file_get_contents(spec.c_str(), &raw, &size, &error)) {
    Status status(Code::kInvalidArgument, std::string("cannot read the labels: ") + error->message +
                                              " (labels is a file with one class name per line, or "
                                              "a list such as car,bicycle,person)");
    g_error_free(error);
    return status;
  }
  const std::unique_ptr<gchar, decltype(&g_free)> owner(raw, g_free);
  std::string_view text = WithoutByteOrderMark({raw, size});
  while (!text.empty()) {
    const size_t end = text.find('\n');
    const std::string_view line = Trim(text.substr(0, end));
    if (!line.empty()) Split(line, &labels.names_);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  if (labels.empty()) {
    return Status(Code::kInvalidArgument,
                  spec + ": the labels file is empty: write one class name per line");
  }
  return labels;
}

}  // namespace dsmsg::msgconv
