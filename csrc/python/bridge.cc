// SPDX-License-Identifier: Apache-2.0
#include "bridge.h"

#include <pybind11/stl.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "bridge/route.h"
#include "map.h"

namespace py = pybind11;

namespace dsmsg::python {
namespace {

using bridge::Encoding;
using bridge::MessageTemplate;
using bridge::Route;
using bridge::RouteSpec;
using bridge::Side;

MessageTemplate Compiled(const std::string& text) {
  Result<MessageTemplate> compiled = MessageTemplate::Compile(text);
  if (!compiled.ok()) throw py::value_error(compiled.status().message());
  return std::move(compiled.value());
}

/// A route, and its adaptors, which stay loaded.
struct Loaded {
  std::shared_ptr<const host::AdaptorLibrary> source, destination;
  std::unique_ptr<Route> route;
};

std::shared_ptr<const host::AdaptorLibrary> Load(const std::string& path) {
  auto library = host::AdaptorLibrary::Load(path);
  if (!library.ok()) throw std::runtime_error(library.status().message());
  const host::AdaptorApi& api = library.value()->api();
  if (api.send_message == nullptr || api.subscribe_message == nullptr || api.ack == nullptr) {
    throw std::runtime_error(path +
                             " has no dsmsg_send_message, dsmsg_subscribe_message or dsmsg_ack: a "
                             "bridge needs dsmsg's own adaptors");
  }
  return library.value();
}

Side SideOf(const host::AdaptorLibrary& library, uintptr_t handle) {
  return {library.api(), reinterpret_cast<NvDsMsgApiHandle>(handle)};
}

std::unique_ptr<Loaded> MakeRoute(const std::pair<std::string, uintptr_t>& source,
                                  const std::pair<std::string, uintptr_t>& destination,
                                  std::vector<std::string> topics, const std::string& topic,
                                  const std::string& payload, const std::optional<std::string>& key,
                                  const std::vector<std::pair<std::string, std::string>>& headers,
                                  bool copy_headers, bool key_base64, bool value_base64,
                                  char separator, bool stop_on_refused, size_t most_messages,
                                  size_t most_bytes, const LoadedMap* map) {
  RouteSpec spec;
  spec.topics = std::move(topics);
  spec.topic = Compiled(topic);
  spec.payload = Compiled(payload);
  if (key) spec.key = Compiled(*key);
  for (const auto& [name, value] : headers) spec.headers.emplace_back(name, Compiled(value));
  spec.copy_headers = copy_headers;
  spec.rendering = {key_base64 ? Encoding::kBase64 : Encoding::kNone,
                    value_base64 ? Encoding::kBase64 : Encoding::kNone, separator};
  spec.stop_on_refused = stop_on_refused;
  spec.most_messages = most_messages;
  spec.most_bytes = most_bytes;
  if (map != nullptr) spec.map = map->map;
  auto loaded = std::make_unique<Loaded>();
  loaded->source = Load(source.first);
  loaded->destination = Load(destination.first);
  loaded->route = std::make_unique<Route>(std::move(spec), SideOf(*loaded->source, source.second),
                                          SideOf(*loaded->destination, destination.second));
  return loaded;
}

py::dict Stats(const Loaded& loaded) {
  const Route::Stats stats = loaded.route->Read();
  py::dict all;
  all["received"] = stats.received;
  all["sent"] = stats.sent;
  all["acknowledged"] = stats.acknowledged;
  all["refused"] = stats.refused;
  all["left_out"] = stats.left_out;
  all["not_json"] = stats.not_json;
  all["in_flight"] = stats.in_flight;
  all["in_flight_bytes"] = stats.in_flight_bytes;
  all["lag_ms"] = stats.lag_ms;
  all["stopped"] = stats.stopped;
  const std::string& text = stats.last_refusal;
  all["last_refusal"] = py::reinterpret_steal<py::object>(
      PyUnicode_DecodeUTF8(text.data(), static_cast<Py_ssize_t>(text.size()), "replace"));
  return all;
}

}  // namespace

void AddBridge(py::module_& module) {
  module.def(
      "check_template", [](const std::string& text) { (void)Compiled(text); }, py::arg("text"));
  py::class_<Loaded>(module, "Route")
      .def(py::init(&MakeRoute), py::arg("source"), py::arg("destination"), py::arg("topics"),
           py::arg("topic"), py::arg("payload"), py::arg("key"), py::arg("headers"),
           py::arg("copy_headers"), py::arg("key_base64"), py::arg("value_base64"),
           py::arg("separator"), py::arg("stop_on_refused"), py::arg("most_messages"),
           py::arg("most_bytes"), py::arg("map") = nullptr)
      .def("start",
           [](Loaded& loaded) {
             const py::gil_scoped_release unlocked;
             return static_cast<int>(loaded.route->Start());
           })
      .def("end",
           [](Loaded& loaded) {
             const py::gil_scoped_release unlocked;
             loaded.route->End();
           })
      .def("stats", &Stats);
}

}  // namespace dsmsg::python
