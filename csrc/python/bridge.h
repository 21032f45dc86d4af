// SPDX-License-Identifier: Apache-2.0
// A route of a bridge (csrc/bridge) for the Python side, which opens and closes its connections.
//
// Threads: those of bridge::Route, with Python's lock held, which is released while something is
// waited for.
#ifndef DSMSG_PYTHON_BRIDGE_H_
#define DSMSG_PYTHON_BRIDGE_H_

#include <pybind11/pybind11.h>

namespace dsmsg::python {

/// Adds the class Route and the function check_template.
void AddBridge(pybind11::module_& module);

}  // namespace dsmsg::python

#endif  // DSMSG_PYTHON_BRIDGE_H_
