// SPDX-License-Identifier: Apache-2.0
// The functions of an adaptor that the hot path calls. The library was loaded, and the connection
// opened, by the Python side (dsmsg/_abi.py); here it is only looked up again, so that its count of
// references keeps it loaded.
//
// Threads: immutable after Load; any. Ownership: the library stays loaded until the process ends.
#ifndef DSMSG_PYTHON_ADAPTOR_FUNCTIONS_H_
#define DSMSG_PYTHON_ADAPTOR_FUNCTIONS_H_

#include <dlfcn.h>

#include <stdexcept>
#include <string>

#include "dsmsg_ext.h"
#include "nvds_msgapi.h"

namespace dsmsg::python {

struct AdaptorFunctions {
  decltype(&nvds_msgapi_send_async) send_async = nullptr;
  decltype(&nvds_msgapi_do_work) do_work = nullptr;
  decltype(&dsmsg_send_message) send_message = nullptr;
  decltype(&dsmsg_subscribe_message) subscribe_message = nullptr;
  decltype(&dsmsg_ack) ack = nullptr;

  /// Throws std::runtime_error: the library has not all of them.
  static AdaptorFunctions Load(const std::string& path) {
    void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) throw std::runtime_error(dlerror());
    AdaptorFunctions f;
    Find(library, "nvds_msgapi_send_async", &f.send_async);
    Find(library, "nvds_msgapi_do_work", &f.do_work);
    Find(library, "dsmsg_send_message", &f.send_message);
    Find(library, "dsmsg_subscribe_message", &f.subscribe_message);
    Find(library, "dsmsg_ack", &f.ack);
    return f;
  }

 private:
  template <class Function>
  static void Find(void* library, const char* name, Function* function) {
    *function = reinterpret_cast<Function>(dlsym(library, name));
    if (*function == nullptr) {
      throw std::runtime_error(std::string("the adaptor has no ") + name);
    }
  }
};

}  // namespace dsmsg::python

#endif  // DSMSG_PYTHON_ADAPTOR_FUNCTIONS_H_
