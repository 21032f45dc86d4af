// SPDX-License-Identifier: Apache-2.0
#include "map.h"

#include <pybind11/stl.h>

#include <string>
#include <utility>
#include <vector>

#include "msgconv/map_fields.h"
#include "msgconv/map_maker.h"
#include "msgconv/sample_frame.h"
#include "payload.h"
#include "raise.h"

namespace py = pybind11;

namespace dsmsg::python {
namespace {

using msgconv::Map;
using Headers = std::vector<std::pair<std::string, py::bytes>>;

std::unique_ptr<LoadedMap> Checked(Result<std::shared_ptr<const Map>> map, std::string origin) {
  if (!map.ok()) Raise(map.status());
  auto loaded = std::make_unique<LoadedMap>();
  loaded->map = std::move(map.value());
  loaded->origin = std::move(origin);
  return loaded;
}

const char* EachOf(const LoadedMap& self) {
  switch (self.map->each()) {
    case Map::Each::kFrame:
      return "frame";
    case Map::Each::kObject:
      return "object";
    case Map::Each::kEvent:
      return "event";
    case Map::Each::kTrack:
      return "track";
    case Map::Each::kMessage:
      break;
  }
  return "message";
}

/// None: the map's condition leaves the message out.
py::object Apply(LoadedMap& self, const py::object& payload, const std::string& topic,
                 const py::object& key, const Headers& headers, int64_t timestamp_ms,
                 int64_t offset, int32_t partition, const std::string& id, char separator) {
  if (const Status status = self.map->NeedReceived(self.origin); !status.ok()) Raise(status);
  if (!self.mapper || self.separator != separator) {
    self.mapper.emplace(self.map, separator);
    self.separator = separator;
  }
  const Payload bytes(payload.ptr());
  std::optional<Payload> key_bytes;
  if (!key.is_none()) key_bytes.emplace(key.ptr());
  std::vector<DsmsgReceivedHeader> rows;
  for (const auto& [name, value] : headers) {
    rows.push_back({name.c_str(), reinterpret_cast<const uint8_t*>(PyBytes_AS_STRING(value.ptr())),
                    static_cast<size_t>(PyBytes_GET_SIZE(value.ptr()))});
  }
  DsmsgReceived message{};
  message.size = sizeof message;
  message.topic = topic.c_str();
  message.payload = bytes.data();
  message.payload_len = bytes.size();
  if (key_bytes) {
    message.key = key_bytes->data();
    message.key_len = key_bytes->size();
  }
  message.headers = rows.data();
  message.num_headers = rows.size();
  message.timestamp_ms = timestamp_ms;
  message.offset = offset;
  message.partition = partition;
  message.id = id.c_str();
  const std::optional<std::string_view> made = self.mapper->Make(message);
  if (!made) return py::none();
  return py::bytes(made->data(), made->size());
}

std::vector<py::bytes> TrySample(const LoadedMap& self, const std::string& sample,
                                 const std::string& origin) {
  if (const Status status = self.map->NeedMetadata(self.origin); !status.ok()) Raise(status);
  const auto read = msgconv::ReadSample(sample, origin);
  if (!read.ok()) Raise(read.status());
  msgconv::MapMaker maker(self.map, read.value()->config);
  const msgconv::Frame& frame = read.value()->frame;
  std::vector<py::bytes> made;
  for (size_t i = 0, count = maker.Count(frame); i < count; ++i) {
    const std::string_view message = maker.Render(frame, i);
    made.emplace_back(message.data(), message.size());
  }
  return made;
}

}  // namespace

void AddMap(py::module_& module) {
  module.def("map_tables", &msgconv::MapTables);
  module.def("full_sample", [] { return std::string(msgconv::FullSample()); });
  py::class_<LoadedMap>(module, "Map")
      .def(py::init([](const std::string& text, const std::string& origin) {
             return Checked(Map::Parse(text, origin), origin);
           }),
           py::arg("text"), py::arg("origin"))
      .def_static(
          "load", [](const std::string& path) { return Checked(Map::Load(path), path); },
          py::arg("path"))
      .def_property_readonly("each", &EachOf)
      .def_property_readonly("format",
                             [](const LoadedMap& self) {
                               return self.map->format() == Map::Format::kProtobuf ? "protobuf"
                                                                                   : "json";
                             })
      .def_property_readonly(
          "was_json", [](const LoadedMap& self) { return self.mapper && self.mapper->was_json(); })
      .def("apply", &Apply, py::arg("payload"), py::arg("topic") = "", py::arg("key") = py::none(),
           py::arg("headers") = Headers(), py::arg("timestamp_ms") = -1, py::arg("offset") = -1,
           py::arg("partition") = -1, py::arg("id") = "", py::arg("separator") = '/')
      .def("try_sample", &TrySample, py::arg("sample"), py::arg("origin"));
}

}  // namespace dsmsg::python
