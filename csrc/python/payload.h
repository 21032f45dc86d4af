// SPDX-License-Identifier: Apache-2.0
// The bytes of a Python object, without a copy, for as long as this lives.
//
// Threads: made and ended with Python's lock held; read without it.
#ifndef DSMSG_PYTHON_PAYLOAD_H_
#define DSMSG_PYTHON_PAYLOAD_H_

#include <pybind11/pybind11.h>

#include <cstdint>
#include <utility>

namespace dsmsg::python {

class Payload {
 public:
  /// Throws TypeError for text and for what has no bytes, BufferError for what is not contiguous.
  explicit Payload(PyObject* object) {
    if (PyBytes_CheckExact(object)) {  // far cheaper than a view
      owner_ = pybind11::reinterpret_borrow<pybind11::object>(object);
      data_ = reinterpret_cast<const uint8_t*>(PyBytes_AS_STRING(object));
      size_ = static_cast<size_t>(PyBytes_GET_SIZE(object));
      return;
    }
    if (PyUnicode_Check(object)) {
      throw pybind11::type_error(
          "a payload is bytes, not text: encode it, as in payload.encode(\"utf-8\") or b\"...\"");
    }
    if (PyObject_GetBuffer(object, &view_, PyBUF_SIMPLE) != 0) throw pybind11::error_already_set();
    data_ = static_cast<const uint8_t*>(view_.buf);
    size_ = static_cast<size_t>(view_.len);
  }
  ~Payload() {
    if (view_.obj != nullptr) PyBuffer_Release(&view_);
  }
  Payload(Payload&& other) noexcept
      : owner_(std::move(other.owner_)),
        view_(std::exchange(other.view_, Py_buffer{})),
        data_(other.data_),
        size_(other.size_) {}
  Payload(const Payload&) = delete;
  Payload& operator=(const Payload&) = delete;
  Payload& operator=(Payload&&) = delete;

  const uint8_t* data() const { return data_; }
  size_t size() const { return size_; }

 private:
  pybind11::object owner_;
  Py_buffer view_{};
  const uint8_t* data_ = nullptr;
  size_t size_ = 0;
};

}  // namespace dsmsg::python

#endif  // DSMSG_PYTHON_PAYLOAD_H_
