// SPDX-License-Identifier: Apache-2.0
// Lines and zones (csrc/space/rules.h) for the Python side, which draws them.
//
// Threads: any, with Python's lock held.
#ifndef DSMSG_PYTHON_SPACE_H_
#define DSMSG_PYTHON_SPACE_H_

#include <pybind11/pybind11.h>

namespace dsmsg::python {

/// Adds the function space_rules.
void AddSpace(pybind11::module_& module);

}  // namespace dsmsg::python

#endif  // DSMSG_PYTHON_SPACE_H_
