// SPDX-License-Identifier: Apache-2.0
// Connection strings and tokens: vectors made with Microsoft's own SDK.
#include "adaptors/azure/identity.h"

#include <gtest/gtest.h>

#include "adaptors/azure/driver.h"
#include "adaptors/azure/token.h"
#include "core/base/encoding.h"

namespace dsmsg::azure {
namespace {

constexpr char kHub[] = "contoso-hub.example.test";
constexpr char kKey[] = "0123456789abcdef0123456789abcdef";

Identity Named(const std::string& device, const std::string& module = "") {
  Identity identity;
  identity.hub = kHub;
  identity.key = kKey;
  identity.device = device;
  identity.module = module;
  return identity;
}

std::string TokenOf(const Identity& identity, int64_t expires) {
  return MakeToken(identity, expires, Deadline::max(), -1).value();
}

Result<Identity> Read(const std::string& text, bool module = false) {
  const Result<Endpoints> endpoints = ParseConnString(text, DeviceDriver::Info().conn_rules);
  if (!endpoints.ok()) return endpoints.status();
  return ReadIdentity(endpoints.value(), module);
}

TEST(AzureToken, IsThatOfTheSdk) {
  EXPECT_EQ(TokenOf(Named("dev-1"), 1700003600),
            "SharedAccessSignature sr=contoso-hub.example.test%2Fdevices%2Fdev-1&sig="
            "1JkUerF06TLyeDXul5h%2FktY5XmWznXcSIsCNXcgnbA0%3D&se=1700003600");
  EXPECT_EQ(TokenOf(Named("dev-1", "mod.A"), 1700086400),
            "SharedAccessSignature sr=contoso-hub.example.test%2Fdevices%2Fdev-1%2Fmodules%2Fmod.A"
            "&sig=vs%2BR4ys23bEGDqxh4vwdOaeQj5hsoj3iZ3AWjXS%2BnAE%3D&se=1700086400");
  EXPECT_EQ(TokenOf(Named("dev%25-a=c@d!f'g(h)*i$j_k,l:m.n?o~p+q#r"), 1700003600),
            "SharedAccessSignature sr=contoso-hub.example.test%2Fdevices%2Fdev%2525-a%3Dc%40d%21f"
            "%27g%28h%29%2Ai%24j_k%2Cl%3Am.n%3Fo~p%2Bq%23r&sig="
            "ip2ROKt3tpvzMknqHfMMrNw3nrKXdum6yct34oRU1r4%3D&se=1700003600");
}

TEST(AzureToken, ExpiryOfOneMadeElsewhere) {
  EXPECT_EQ(ExpiryOf("SharedAccessSignature sr=h&sig=x&se=1700003600&skn=device"), 1700003600);
  EXPECT_EQ(ExpiryOf("SharedAccessSignature se=5&sr=h"), 5);
  EXPECT_FALSE(ExpiryOf("SharedAccessSignature sr=h&sig=se&nose=4"));
}

TEST(AzureIdentity, OfADevice) {
  const auto identity =
      Read("HostName=Contoso.example.test;DeviceId=dev-1;SharedAccessKey=" + ToBase64(kKey) + ";");
  ASSERT_TRUE(identity.ok()) << identity.status().message();
  EXPECT_EQ(identity.value().hub, "Contoso.example.test");
  EXPECT_EQ(identity.value().client_id(), "dev-1");
  EXPECT_EQ(identity.value().path(), "devices/dev-1");
  EXPECT_EQ(identity.value().key, kKey);
}

TEST(AzureIdentity, OfAModule) {
  const auto identity =
      Read("deviceid=d;moduleid=m;hostname=h:18883;gatewayhostname=g;sharedaccesskey=AAAA", true);
  ASSERT_TRUE(identity.ok()) << identity.status().message();
  EXPECT_EQ(identity.value().hub, "h");
  EXPECT_EQ(identity.value().gateway, "g");
  EXPECT_EQ(identity.value().client_id(), "d/m");
  EXPECT_EQ(identity.value().path(), "devices/d/modules/m");
}

TEST(AzureIdentity, ErrorsNameTheCauseAndNeverTheKey) {
  const std::pair<const char*, const char*> cases[] = {
      {"DeviceId=d;SharedAccessKey=c2VjcmV0", "HostName is missing"},
      {"HostName=h;SharedAccessKey=c2VjcmV0", "DeviceId is missing"},
      {"HostName=h;DeviceId=d", "no SharedAccessKey"},
      {"HostName=h;DeviceId=d;SharedAccessKey=c2VjcmV0x", "not valid base64"},
      {"HostName=h;DeviceId=d;SharedAccessKey=", "SharedAccessKey is empty"},
      {"HostName=h h;DeviceId=d;SharedAccessKey=c2VjcmV0", "host name may contain only"},
      {"HostName=h;DeviceId=a+b;SharedAccessKey=c2VjcmV0", "contains '+'"},
      {"HostName=h;DeviceId=a#b;SharedAccessKey=c2VjcmV0", "contains '#'"},
      {"HostName=h;DeviceId=a/b;SharedAccessKey=c2VjcmV0", "does not allow"},
      {"HostName=h;DeviceId=d;DeviceId=e;SharedAccessKey=c2VjcmV0", "DeviceId is given twice"},
      {"HostName=h;DeviceId=d;Key=c2VjcmV0", "known name"},
      {"HostName=h;DeviceId=d;c2VjcmV0", "known name"},
      {"HostName=h;SharedAccessKeyName=iothubowner;SharedAccessKey=c2VjcmV0", "for services"},
      {"HostName=h;DeviceId=d;x509=true;SharedAccessKey=c2VjcmV0", "more than one"},
      {"HostName=h;DeviceId=d;x509=yes", "x509 must be"},
      {"HostName=h;DeviceId=d;ModuleId=m;SharedAccessKey=c2VjcmV0", "libnvds_azure_edge_proto"},
  };
  for (const auto& [text, expected] : cases) {
    const auto identity = Read(text);
    ASSERT_FALSE(identity.ok()) << text;
    EXPECT_NE(identity.status().message().find(expected), std::string::npos)
        << text << ": " << identity.status().message();
    EXPECT_EQ(identity.status().message().find("c2VjcmV0"), std::string::npos) << text;
  }
  const auto device = Read("HostName=h;DeviceId=d;SharedAccessKey=c2VjcmV0", true);
  EXPECT_NE(device.status().message().find("libnvds_azure_proto"), std::string::npos);
}

}  // namespace
}  // namespace dsmsg::azure
