// SPDX-License-Identifier: Apache-2.0
// Carries the bytes between libmosquitto and the server. The library reads from and writes to one
// end of a local socket pair; this class passes the bytes on to the server's socket, with or
// without TLS.
//
// It exists because libmosquitto acknowledges a received message of QoS 1 as soon as it has read it
// and offers no way to do that later. The wire drops those PUBACKs, and Acknowledge() sends one
// when the message has found room. So the connection can be read at any time (answers to sent
// messages arrive in between), while the server's window of unacknowledged messages limits how much
// comes.
//
// Threads: one at a time (the connection's I/O thread), with SIGPIPE blocked. Owns the server's
// socket and its end of the pair.
#ifndef DSMSG_ADAPTORS_MQTT_WIRE_H_
#define DSMSG_ADAPTORS_MQTT_WIRE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "core/base/fd.h"
#include "core/base/time.h"
#include "core/net/hints.h"
#include "core/net/tls.h"
#include "core/net/tls_stream.h"

namespace dsmsg::mqtt {

class MqttWire {
 public:
  /// Takes over the connected socket behind the library's descriptor `fd` and replaces it by one
  /// end of a socket pair. Nothing may have been written to it yet. With TLS, performs the
  /// handshake. `answered`: how much the server has answered before, for the advice in an error.
  Status Attach(int fd, const TlsSettings& tls, const HostPort& server, Answered answered,
                Deadline deadline, int cancel_fd);
  void Close();
  /// The server's socket, or -1.
  int fd() const { return server_.get(); }

  /// What poll() has to wait for on fd().
  short Events(bool read) const;
  /// Received bytes are waiting where poll() does not see them.
  bool buffered() const { return tls_ != nullptr && tls_->buffered(); }

  /// Call it before waiting. Mosquitto leaves Nagle's algorithm on: it sends the first of several
  /// answers and holds the rest until our kernel acknowledges that, which is delayed by 40 ms
  /// unless something is sent meanwhile.
  void Confirm();

  /// Reads one piece from the server. kWouldBlock: there was nothing.
  TransportIo Receive();
  /// More may have arrived than the last piece that was read.
  bool may_hold_more() const { return tls_ != nullptr || received_ == kPiece; }
  /// For a connection on which nothing was received before: the server has now answered CONNECT the
  /// way version 5 does.
  bool AnsweredAsVersion5();
  /// Bytes received but not yet handed on.
  std::string_view received() const { return {in_.get() + fed_, received_ - fed_}; }
  /// Hands received bytes to the library, as many as fit. False: nothing is left.
  bool Feed();

  /// Takes what the library wrote, unless a lot is already waiting. Returns the number of bytes.
  size_t Collect();
  /// Sends as much of the waiting bytes as the server accepts now.
  TransportIo Send();
  bool unsent() const { return sent_ < out_.size(); }

  /// Acknowledges the message with this id to the server.
  void Acknowledge(uint16_t id);

  /// Why Receive or Send gave kError. `error_number` is 0 when TLS failed.
  Status error() const;
  int error_number() const { return error_number_; }

 private:
  static constexpr size_t kPiece = size_t{64} << 10;

  TransportIo Failed(int error);
  TransportIo ReceivePlain();
  void Filter(std::string_view bytes);

  UniqueFd server_, library_;       // the latter: our end of the pair
  std::unique_ptr<TlsStream> tls_;  // ends before the socket
  std::unique_ptr<char[]> in_;      // received bytes
  size_t received_ = 0, fed_ = 0;
  std::string out_;  // bytes for the server
  size_t sent_ = 0;
  // Filter's position in the library's packets, and what must wait for the end of one.
  std::string header_, acknowledgements_;
  size_t left_ = 0;
  bool dropping_ = false;
  bool unconfirmed_ = false;  // something was received and nothing has been sent since
  int error_number_ = 0;
};

}  // namespace dsmsg::mqtt

#endif  // DSMSG_ADAPTORS_MQTT_WIRE_H_
