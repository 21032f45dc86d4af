// SPDX-License-Identifier: Apache-2.0
#include "space.h"

#include <pybind11/stl.h>

#include <string>
#include <utility>

#include "raise.h"
#include "space/rules.h"

namespace py = pybind11;

namespace dsmsg::python {
namespace {

py::dict ShapeOf(const std::string& name, const space::Shape& shape) {
  py::list points;
  for (const space::FilePoint& point : shape.points)
    points.append(py::make_tuple(point.x, point.y));
  py::dict made;
  made["name"] = name;
  made["points"] = std::move(points);
  return made;
}

py::dict SourceOf(const space::SourceRules& source) {
  py::list lines, zones;
  for (const space::LineRule& line : source.lines) {
    py::dict made = ShapeOf(line.name, line.shape);
    made["directions"] = py::make_tuple(line.right, line.left);
    lines.append(std::move(made));
  }
  for (const space::ZoneRule& zone : source.zones) zones.append(ShapeOf(zone.name, zone.shape));
  py::dict made;
  made["lines"] = std::move(lines);
  made["zones"] = std::move(zones);
  return made;
}

py::dict Load(const std::string& path) {
  const auto loaded = space::Rules::Load(path);
  if (!loaded.ok()) Raise(loaded.status());
  const space::Rules& rules = *loaded.value();
  py::dict sources;
  for (const auto& [name, source] : rules.by_name) sources[py::str(name)] = SourceOf(source);
  for (const auto& [number, source] : rules.by_number) {
    sources[py::str(std::to_string(number))] = SourceOf(source);
  }
  if (rules.others) sources["*"] = SourceOf(*rules.others);
  py::dict made;
  made["pixels"] = rules.pixels;
  made["size"] = py::make_tuple(rules.width, rules.height);
  made["sources"] = std::move(sources);
  return made;
}

}  // namespace

void AddSpace(py::module_& module) { module.def("space_rules", &Load, py::arg("path")); }

}  // namespace dsmsg::python
