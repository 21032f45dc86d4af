// SPDX-License-Identifier: Apache-2.0
// One HTTP request: messages become URL, headers and body of a libcurl handle, and what libcurl
// says afterwards becomes a verdict on them.
//
// Threads: the connection's I/O thread only. What Site refers to outlives it.
#ifndef DSMSG_ADAPTORS_HTTP_REQUEST_H_
#define DSMSG_ADAPTORS_HTTP_REQUEST_H_

#include <curl/curl.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "adaptors/http/gzip.h"
#include "adaptors/http/settings.h"
#include "core/driver/driver.h"

namespace dsmsg::http {

/// A message that waits for its request, or for the answer.
struct Item {
  Message message;
  Token token = 0;
  std::string target;  // path and query
  bool alone = false;  // a request with several was refused
};

/// The server in use, as all requests need it.
struct Site {
  const HttpSettings& settings;
  HostPort server;
  std::string address;  // of what is dialled, as IP address: libcurl looks up no names
  TlsVerdict verdict;   // of the newest handshake

  /// Server or proxy.
  const HostPort& Dialled() const {
    return settings.proxy.used() ? settings.proxy.address : server;
  }

  std::string Url(std::string_view target) const;
  std::string HostHeader() const;
};

/// What a request came to.
struct Verdict {
  enum class About {
    kMessages,
    kLink,   // the same would happen to any other message
    kEither  // the connection ended: over these messages?
  };
  Status status;
  About about = About::kMessages;
  Millis pause{0};  // the server asks for it (Retry-After)
};

class Request {
 public:
  explicit Request(Site& site);
  ~Request();
  Request(const Request&) = delete;
  Request& operator=(const Request&) = delete;

  /// False: no memory for it.
  bool valid() const { return easy_ != nullptr; }
  CURL* easy() const { return easy_.get(); }
  /// The next request has these messages.
  void Send(std::vector<Item> items);
  /// The next request is a GET.
  void Ask(const std::string& target);
  std::vector<Item>& items() { return items_; }
  /// After the request: `code` is libcurl's.
  Verdict Judge(CURLcode code) const;

 private:
  struct FreeEasy {
    void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
  };
  struct FreeList {
    void operator()(curl_slist* list) const { curl_slist_free_all(list); }
  };
  static int OnTry(void* self, char* server, char* own, int server_port, int own_port);
  static size_t OnAnswer(char* data, size_t size, size_t count, void* self);
  static CURLcode OnContext(CURL* easy, void* context, void* self);
  static curl_socket_t OnSocket(void* self, curlsocktype purpose, curl_sockaddr* address);

  void SetUp();
  void SetUpProxy();
  void SetHeaders();
  void SetMessageHeaders();
  void Sign();
  void Add(std::string_view name, std::string_view value);
  bool IsGiven(std::string_view name) const;
  /// Unless the message has a header of that name.
  void AddOwn(std::string_view name, std::string_view value);
  Verdict JudgeFailure(CURLcode code) const;
  Verdict JudgeProxy(long answer) const;
  Verdict JudgeAnswer(long answer) const;
  std::string Said(long answer) const;

  Site& site_;
  std::unique_ptr<CURL, FreeEasy> easy_;
  std::unique_ptr<curl_slist, FreeList> headers_, addresses_;
  std::vector<Item> items_;
  std::string url_, joined_, zipped_, line_;
  Gzip gzip_;
  bool is_zipped_ = false;
  std::string_view body_;  // zipped_, joined_, or the payload itself
  bool tried_ = false;     // libcurl has begun to send it
  std::string answer_;     // its beginning
  size_t answer_size_ = 0;
  Status tls_;
  int socket_error_ = 0;  // an errno
  char error_[CURL_ERROR_SIZE] = {};
};

}  // namespace dsmsg::http

#endif  // DSMSG_ADAPTORS_HTTP_REQUEST_H_
