// SPDX-License-Identifier: Apache-2.0
// Who a device or module is at its hub, which writes its names percent-encoded in tokens, plain in
// topics, client id and user name.
//
// Threads: values and pure functions, any thread.
#ifndef DSMSG_ADAPTORS_AZURE_IDENTITY_H_
#define DSMSG_ADAPTORS_AZURE_IDENTITY_H_

#include <string>

#include "core/base/status.h"
#include "core/options/conn_string.h"

namespace dsmsg::azure {

struct Identity {
  std::string hub;  // its host name, also behind a gateway
  std::string device, module;
  std::string gateway;  // host name; empty: none
  // One of these proves who we are.
  std::string key;       // decoded; secret
  std::string token;     // a SharedAccessSignature made elsewhere; secret
  bool x509 = false;     // the client's certificate
  std::string workload;  // path of the socket of an IoT Edge runtime, which signs for its modules

  std::string generation;  // of the module, for that runtime

  std::string client_id() const { return module.empty() ? device : device + "/" + module; }
  /// The part of every topic that names us: "devices/d" or "devices/d/modules/m".
  std::string path() const {
    return "devices/" + device + (module.empty() ? "" : "/modules/" + module);
  }
};

/// Of a parsed connection string. `module`: a module is expected, otherwise a device.
Result<Identity> ReadIdentity(const Endpoints& endpoints, bool module);

/// The connection string of the module that runs in this process, of the variables that the IoT
/// Edge runtime sets. "": it does not run under that runtime.
std::string ModuleOfEnvironment();

}  // namespace dsmsg::azure

#endif  // DSMSG_ADAPTORS_AZURE_IDENTITY_H_
