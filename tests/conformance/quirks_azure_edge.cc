// SPDX-License-Identifier: Apache-2.0
// Modules of Azure IoT Edge. Nearly all the code is that of quirks_azure.cc's adaptor:
// not sanitized: *
// protocol: AZURE_MODULE_CLIENT
#include "azure_quirks.h"

namespace dsmsg::conformance {
namespace {

class ModuleQuirks : public AzureQuirks {
 public:
  std::string protocol() const override { return "AZURE_MODULE_CLIENT"; }
  std::string library() const override { return "libnvds_azure_edge_proto.so"; }

 private:
  std::string Module() const override { return ";ModuleId=m"; }
};

DSMSG_QUIRKS(ModuleQuirks);

}  // namespace
}  // namespace dsmsg::conformance
