// SPDX-License-Identifier: Apache-2.0
// Signature Version 4 of requests to Amazon's services, and to others that speak S3. libcurl can
// sign, too, but not as S3 wants it before 7.88. Pure functions: any thread.
#ifndef DSMSG_ADAPTORS_HTTP_AWS_SIGNATURE_H_
#define DSMSG_ADAPTORS_HTTP_AWS_SIGNATURE_H_

#include <ctime>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace dsmsg::http {

struct AwsKeys {
  std::string access, secret, token;  // secret and token are secrets; token "": none
  std::string region, service;
  bool used() const { return !region.empty(); }
};

struct AwsRequest {
  std::string_view method, host;
  std::string_view target;   // path and query, percent-encoded as they are sent
  std::string_view payload;  // of the body
  std::time_t time = 0;      // of the signature
};

/// The headers that a signed request carries, names in small letters.
std::vector<std::pair<std::string, std::string>> AwsHeaders(const AwsKeys& keys,
                                                            const AwsRequest& request);

}  // namespace dsmsg::http

#endif  // DSMSG_ADAPTORS_HTTP_AWS_SIGNATURE_H_
