// SPDX-License-Identifier: Apache-2.0
// dsmsg._native: the hot path of the Python package. What it means is in python/dsmsg/_native.pyi.
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include "bridge.h"
#include "core/base/library_error.h"
#include "map.h"
#include "receiver.h"
#include "sender.h"
#include "space.h"

namespace py = pybind11;

PYBIND11_MODULE(_native, module) {
  using dsmsg::python::Receiver;
  using dsmsg::python::Sender;
  module.doc() = "Sends and receives without Python's lock; dsmsg.Connection uses it.";
  py::register_exception_translator([](std::exception_ptr error) {
    try {
      if (error) std::rethrow_exception(error);
    } catch (const dsmsg::python::Closed& closed) {
      const py::object kind = py::module_::import("dsmsg.errors").attr("ClosedError");
      PyErr_SetString(kind.ptr(), closed.what());
    }
  });
  module.attr("REFUSED") = dsmsg::python::kRefused;
  module.def("explain_load_error", &dsmsg::ExplainLoadError, py::arg("path"), py::arg("error"));
  module.def("machine_of_library", &dsmsg::MachineOfLibrary, py::arg("path"));
  module.attr("UNFINISHED") = dsmsg::python::kUnfinished;
  py::class_<Sender>(module, "Sender")
      .def(py::init<const std::string&, uintptr_t>(), py::arg("path"), py::arg("handle"))
      .def("send_async", &Sender::SendAsync, py::arg("topic"), py::arg("payload"), py::arg("done"),
           py::arg("key") = py::none(),
           py::arg("headers") = std::vector<std::pair<std::string, std::string>>(),
           py::arg("timestamp_ms") = 0)
      .def("send_many", &Sender::SendMany, py::arg("topic"), py::arg("payloads"), py::arg("keys"),
           py::arg("timeout"))
      .def("work", &Sender::Work)
      .def("take", &Sender::Take)
      .def("stop", &Sender::Stop)
      .def("close", &Sender::Close)
      .def_property_readonly("pending", &Sender::pending);
  py::class_<Receiver>(module, "Receiver")
      .def(py::init<const std::string&, uintptr_t, py::object>(), py::arg("path"),
           py::arg("handle"), py::arg("make"))
      .def("subscribe", &Receiver::Subscribe, py::arg("topics"))
      .def("take", &Receiver::Take, py::arg("most"), py::arg("timeout"))
      .def("ack", &Receiver::Ack, py::arg("number"))
      .def("close", &Receiver::Close);
  dsmsg::python::AddMap(module);  // before Route, which takes one
  dsmsg::python::AddBridge(module);
  dsmsg::python::AddSpace(module);
}
