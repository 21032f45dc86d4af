// SPDX-License-Identifier: Apache-2.0
// The HTTP adaptor's driver: it sends requests (HttpSender) or has an endpoint that receives them
// (HttpEndpoint).
//
// Threads: as core/driver/driver.h says. The host outlives it.
#ifndef DSMSG_ADAPTORS_HTTP_DRIVER_H_
#define DSMSG_ADAPTORS_HTTP_DRIVER_H_

#include <memory>
#include <span>
#include <string>

#include "adaptors/http/endpoint.h"
#include "adaptors/http/sender.h"
#include "adaptors/http/settings.h"
#include "core/driver/driver.h"

namespace dsmsg::http {

class HttpDriver final : public Driver {
 public:
  static const DriverInfo& Info();

  explicit HttpDriver(DriverHost& host) : host_(host) {}

  Status Configure(const Endpoints& endpoints, const Config& config) override;
  Status Open(Role role, Deadline deadline, int cancel_fd) override;
  Status Submit(const Message& message, Token token) override;
  Status Poll(Millis budget, int wake_fd) override;
  Status Subscribe(std::span<const std::string> topics, Deadline deadline) override;
  void Ack(AckToken token) noexcept override;
  void Release(AckToken token, InMessage&& message) noexcept override;
  void Close(Millis drain, int cancel_fd) noexcept override;

 private:
  DriverHost& host_;
  HttpSettings settings_;
  bool only_receives_ = false;              // it has no URL
  std::unique_ptr<HttpSender> sender_;      // one of the two,
  std::unique_ptr<HttpEndpoint> endpoint_;  // made by the first Open
};

}  // namespace dsmsg::http

#endif  // DSMSG_ADAPTORS_HTTP_DRIVER_H_
