// SPDX-License-Identifier: Apache-2.0
#include "adaptors/http/transfers.h"

#include <utility>

namespace dsmsg::http {

Status Transfers::Open(size_t most) {
  multi_.reset(curl_multi_init());
  if (multi_ == nullptr) return {Code::kInternal, "no memory for connections"};
  // Else those of requests that have just ended are closed when few others are under way.
  curl_multi_setopt(multi_.get(), CURLMOPT_MAXCONNECTS, static_cast<long>(most));
  return {};
}

void Transfers::Close() {
  multi_.reset();
  begun_ = false;
}

void Transfers::Begin(CURL* easy) {
  curl_multi_add_handle(multi_.get(), easy);
  begun_ = true;
}

void Transfers::Cancel(CURL* easy) { curl_multi_remove_handle(multi_.get(), easy); }

bool Transfers::Work(Millis longest, int wake_fd, int other_fd) {
  curl_waitfd fds[2];
  unsigned count = 0;
  for (const int fd : {wake_fd, other_fd}) {
    if (fd >= 0) fds[count++] = {fd, CURL_WAIT_POLLIN, 0};
  }
  if (!std::exchange(begun_, false)) {
    curl_multi_poll(multi_.get(), fds, count, static_cast<int>(longest.count()), nullptr);
  }
  int running = 0;
  curl_multi_perform(multi_.get(), &running);
  return wake_fd >= 0 && fds[0].revents != 0;
}

CURL* Transfers::TakeEnded(CURLcode* code) {
  int left = 0;
  while (const CURLMsg* const message = curl_multi_info_read(multi_.get(), &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    CURL* const easy = message->easy_handle;
    *code = message->data.result;
    curl_multi_remove_handle(multi_.get(), easy);  // the message is gone with it
    return easy;
  }
  return nullptr;
}

}  // namespace dsmsg::http
