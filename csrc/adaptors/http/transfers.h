// SPDX-License-Identifier: Apache-2.0
// The requests under way: libcurl's multi interface.
//
// Threads: the connection's I/O thread only. Handles belong to the caller and outlive their
// request.
#ifndef DSMSG_ADAPTORS_HTTP_TRANSFERS_H_
#define DSMSG_ADAPTORS_HTTP_TRANSFERS_H_

#include <curl/curl.h>

#include <memory>

#include "core/base/status.h"
#include "core/base/time.h"

namespace dsmsg::http {

class Transfers {
 public:
  /// Before any other; again after Close. `most`: so many connections are kept.
  Status Open(size_t most);
  bool open() const { return multi_ != nullptr; }
  /// Ends all connections. No handle may be under way.
  void Close();

  void Begin(CURL* easy);
  /// The request ends without an answer.
  void Cancel(CURL* easy);
  /// Sends and receives. Waits first, at most `longest`, for answers or until `wake_fd` (-1: none)
  /// is readable, which is true then, or `other_fd` is; but not where a request was begun since the
  /// last call.
  bool Work(Millis longest, int wake_fd, int other_fd = -1);
  /// A handle whose request has ended, with libcurl's code; null: no other.
  CURL* TakeEnded(CURLcode* code);

 private:
  struct FreeMulti {
    void operator()(CURLM* multi) const { curl_multi_cleanup(multi); }
  };

  std::unique_ptr<CURLM, FreeMulti> multi_;
  bool begun_ = false;  // since the last Work
};

}  // namespace dsmsg::http

#endif  // DSMSG_ADAPTORS_HTTP_TRANSFERS_H_
