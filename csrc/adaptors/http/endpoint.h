// SPDX-License-Identifier: Apache-2.0
// The endpoint that receives: requests become messages whose topic is the path. A request is
// answered when the callback has returned (libmicrohttpd with this thread as its event loop).
//
// Threads: the connection's I/O thread only. Settings and host outlive it.
#ifndef DSMSG_ADAPTORS_HTTP_ENDPOINT_H_
#define DSMSG_ADAPTORS_HTTP_ENDPOINT_H_

#include <microhttpd.h>
#include <sys/socket.h>

#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "adaptors/http/settings.h"
#include "core/base/fd.h"
#include "core/driver/driver.h"

namespace dsmsg::http {

class HttpEndpoint {
 public:
  HttpEndpoint(const HttpSettings& settings, DriverHost& host) : settings_(settings), host_(host) {}
  ~HttpEndpoint() { Close(Millis(0)); }

  /// Listens. Until Subscribe every request is answered 503.
  Status Open();
  void Subscribe(std::span<const std::string> topics) {
    topics_.assign(topics.begin(), topics.end());
  }
  Status Poll(Millis budget, int wake_fd);
  /// The end of a delivered message: 204 if it was taken, else 503.
  void Answer(AckToken token, bool taken) noexcept;
  /// Answers what it can within `drain`.
  void Close(Millis drain) noexcept;

  /// "#" matches all topics, "a/#" those below a.
  static bool Matches(const Config& config, const std::string& filter, const std::string& topic);

 private:
  /// A request. Owned by libmicrohttpd's connection until OnEnd.
  struct Exchange {
    MHD_Connection* connection = nullptr;
    InMessage message;
    AckToken token = kNoToken;  // while the message is delivered and has no answer
    unsigned answer = 0;        // a status
  };
  /// A client's connection.
  struct Peer {
    int fd = -1;
    bool stranger = false;  // not in listen-allow: its requests are answered 403
    bool waits = false;     // for the host
    Deadline due{};         // the next request has to begin by then, or to be complete
  };
  struct Stop {
    void operator()(MHD_Daemon* daemon) const { MHD_stop_daemon(daemon); }
  };

  static MHD_Result OnRequest(void* self, MHD_Connection* connection, const char* url,
                              const char* method, const char* version, const char* data,
                              size_t* size, void** exchange);
  static void OnEnd(void* self, MHD_Connection* connection, void** exchange,
                    MHD_RequestTerminationCode code);
  static MHD_Result OnAccept(void* self, const sockaddr* address, socklen_t size);
  static void* OnLine(void* self, const char* line, MHD_Connection* connection);
  static void OnConnection(void* self, MHD_Connection* connection, void** state,
                           MHD_ConnectionNotificationCode code);
  Status Listen(UniqueFd* out) const;
  MHD_Result Continue(Exchange* exchange, const char* data, size_t* size);
  MHD_Result Begin(Exchange* exchange, const char* url, const char* method);
  MHD_Result Deliver(Exchange* exchange);
  /// The status that refuses the request; 0: it may come in.
  unsigned Refusal(MHD_Connection* connection, const char* url, const std::string& method);
  bool IsAllowed(const sockaddr* client) const;
  /// A request begins, or has ended.
  void Turn(MHD_Connection* connection);
  /// Ends connections whose request does not come, or does not end.
  void EndSlow();
  bool HasHeaders(MHD_Connection* connection) const;
  void ReadHeaders(Exchange* exchange) const;
  void Run(Millis budget, int wake_fd);

  const HttpSettings& settings_;
  DriverHost& host_;
  std::unique_ptr<MHD_Daemon, Stop> daemon_;
  std::vector<std::string> topics_;
  std::map<AckToken, Exchange*> delivered_;
  std::map<MHD_Connection*, Peer> peers_;
  unsigned strangers_ = 0;
  Deadline look_at_{};  // at those that are slow
  AckToken last_token_ = kNoToken;
  size_t answers_ = 0;  // that are not sent yet
};

}  // namespace dsmsg::http

#endif  // DSMSG_ADAPTORS_HTTP_ENDPOINT_H_
