// SPDX-License-Identifier: Apache-2.0
#include "adaptors/http/aws_signature.h"

#include <algorithm>

#include "core/base/digest.h"
#include "core/base/encoding.h"

namespace dsmsg::http {
namespace {

/// The parameters in order, each with an equals sign.
std::string CanonicalQuery(std::string_view query) {
  std::vector<std::string> parameters;
  while (!query.empty()) {
    const size_t end = std::min(query.find('&'), query.size());
    std::string parameter(query.substr(0, end));
    if (parameter.find('=') == std::string::npos) parameter.push_back('=');
    if (parameter != "=") parameters.push_back(std::move(parameter));
    query.remove_prefix(std::min(end + 1, query.size()));
  }
  std::ranges::sort(parameters);
  std::string text;
  for (const std::string& parameter : parameters)
    text.append(text.empty() ? "" : "&").append(parameter);
  return text;
}

}  // namespace

std::vector<std::pair<std::string, std::string>> AwsHeaders(const AwsKeys& keys,
                                                            const AwsRequest& request) {
  tm utc = {};
  gmtime_r(&request.time, &utc);
  char moment[20];
  const std::string time(moment, strftime(moment, sizeof moment, "%Y%m%dT%H%M%SZ", &utc));
  const std::string day = time.substr(0, 8);
  const std::string digest = ToHex(Sha256(request.payload));
  std::vector<std::pair<std::string, std::string>> headers = {{"x-amz-content-sha256", digest},
                                                              {"x-amz-date", time}};
  if (!keys.token.empty()) headers.emplace_back("x-amz-security-token", keys.token);

  const size_t question = std::min(request.target.find('?'), request.target.size());
  const std::string_view query = request.target.substr(question);
  std::string canonical, names = "host";
  canonical.append(request.method).append("\n");
  canonical.append(request.target.substr(0, question)).append("\n");
  canonical.append(CanonicalQuery(query.empty() ? query : query.substr(1))).append("\n");
  canonical.append("host:").append(request.host).append("\n");
  for (const auto& [name, value] : headers) {
    canonical.append(name).append(":").append(value).append("\n");
    names.append(";").append(name);
  }
  canonical.append("\n").append(names).append("\n").append(digest);

  const std::string scope = day + "/" + keys.region + "/" + keys.service + "/aws4_request";
  const std::string to_sign =
      "AWS4-HMAC-SHA256\n" + time + "\n" + scope + "\n" + ToHex(Sha256(canonical));
  std::string key = HmacSha256("AWS4" + keys.secret, day);
  for (const std::string_view part : {std::string_view(keys.region), std::string_view(keys.service),
                                      std::string_view("aws4_request")})
    key = HmacSha256(key, part);
  headers.emplace_back("authorization", "AWS4-HMAC-SHA256 Credential=" + keys.access + "/" + scope +
                                            ",SignedHeaders=" + names +
                                            ",Signature=" + ToHex(HmacSha256(key, to_sign)));
  return headers;
}

}  // namespace dsmsg::http
