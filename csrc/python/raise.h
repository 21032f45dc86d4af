// SPDX-License-Identifier: Apache-2.0
// A Status as Python's exception. With Python's lock held.
#ifndef DSMSG_PYTHON_RAISE_H_
#define DSMSG_PYTHON_RAISE_H_

#include <pybind11/pybind11.h>

#include <string>

#include "core/base/status.h"

namespace dsmsg::python {

/// ValueError for a wrong text, else OSError. Texts of errors may quote what is not UTF-8.
[[noreturn]] inline void Raise(const Status& status) {
  const std::string& text = status.message();
  const auto shown = pybind11::reinterpret_steal<pybind11::object>(
      PyUnicode_DecodeUTF8(text.data(), static_cast<Py_ssize_t>(text.size()), "replace"));
  PyErr_SetObject(status.code() == Code::kInvalidArgument ? PyExc_ValueError : PyExc_OSError,
                  shown.ptr());
  throw pybind11::error_already_set();
}

}  // namespace dsmsg::python

#endif  // DSMSG_PYTHON_RAISE_H_
