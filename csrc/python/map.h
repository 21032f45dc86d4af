// SPDX-License-Identifier: Apache-2.0
// Maps (csrc/msgconv/map.h) for the Python side: check, apply to received messages, try with a
// sample of metadata.
//
// Threads: any, with Python's lock held.
#ifndef DSMSG_PYTHON_MAP_H_
#define DSMSG_PYTHON_MAP_H_

#include <pybind11/pybind11.h>

#include <memory>
#include <optional>

#include "msgconv/map.h"
#include "msgconv/received_mapper.h"

namespace dsmsg::python {

/// A map that was checked, and what applies it.
struct LoadedMap {
  std::shared_ptr<const msgconv::Map> map;
  std::string origin;
  std::optional<msgconv::ReceivedMapper> mapper{};  // once it is needed
  char separator = '/';                             // of `mapper`
};

/// Adds the class Map and the functions map_tables and full_sample.
void AddMap(pybind11::module_& module);

}  // namespace dsmsg::python

#endif  // DSMSG_PYTHON_MAP_H_
