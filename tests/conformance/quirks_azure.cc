// SPDX-License-Identifier: Apache-2.0
// Devices of Azure IoT Hub.
// protocol: AZURE_DEVICE_CLIENT
#include "azure_quirks.h"

namespace dsmsg::conformance {
namespace {

class DeviceQuirks : public AzureQuirks {
 public:
  std::string protocol() const override { return "AZURE_DEVICE_CLIENT"; }
  std::string library() const override { return "libnvds_azure_proto.so"; }
  Lines BaseConfig(const Lines& lines) const override {
    Lines base = AzureQuirks::BaseConfig(lines);
    base.emplace_back("topic-property=topic");
    return base;
  }

 private:
  std::string Module() const override { return ""; }
};

DSMSG_QUIRKS(DeviceQuirks);

}  // namespace
}  // namespace dsmsg::conformance
