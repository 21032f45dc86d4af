// SPDX-License-Identifier: Apache-2.0
// The examples that Amazon publishes for S3 ("Signature Calculations for the Authorization
// Header").
#include "adaptors/http/aws_signature.h"

#include <gmock/gmock.h>

namespace dsmsg::http {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;

AwsKeys ExampleKeys() {
  return {"AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "", "us-east-1",
          "s3"};
}

std::string HeaderOf(const AwsKeys& keys, const AwsRequest& request, std::string_view wanted) {
  for (const auto& [name, value] : AwsHeaders(keys, request)) {
    if (name == wanted) return value;
  }
  return "";
}

AwsRequest Example(std::string_view target) {
  AwsRequest request;
  request.method = "GET";
  request.host = "examplebucket.s3.amazonaws.com";
  request.target = target;
  request.time = 1369353600;  // 2013-05-24T00:00:00Z
  return request;
}

TEST(AwsSignature, OfTheLifecycleOfABucket) {
  const AwsRequest request = Example("/?lifecycle");
  EXPECT_EQ(HeaderOf(ExampleKeys(), request, "x-amz-date"), "20130524T000000Z");
  EXPECT_EQ(HeaderOf(ExampleKeys(), request, "x-amz-content-sha256"),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(HeaderOf(ExampleKeys(), request, "authorization"),
            "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,"
            "SignedHeaders=host;x-amz-content-sha256;x-amz-date,"
            "Signature=fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543");
}

TEST(AwsSignature, OfTheListOfObjects) {
  for (const char* target : {"/?max-keys=2&prefix=J", "/?prefix=J&max-keys=2"}) {
    EXPECT_THAT(HeaderOf(ExampleKeys(), Example(target), "authorization"),
                EndsWith("34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"));
  }
}

TEST(AwsSignature, TemporaryKeysHaveAToken) {
  AwsKeys keys = ExampleKeys();
  keys.token = "token";
  EXPECT_EQ(HeaderOf(keys, Example("/"), "x-amz-security-token"), "token");
  EXPECT_THAT(HeaderOf(keys, Example("/"), "authorization"),
              HasSubstr("host;x-amz-content-sha256;x-amz-date;x-amz-security-token,"));
}

}  // namespace
}  // namespace dsmsg::http
