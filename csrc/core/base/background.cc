// SPDX-License-Identifier: Apache-2.0
#include "core/base/background.h"

#include <utility>

#include "core/base/guard.h"
#include "core/base/thread.h"

namespace dsmsg {

void Background::Start(std::function<Status(int cancel_fd)> work) {
  cancel_.Drain();
  ended_ = false;
  thread_ = StartThread("dsmsg-node", [this, work = std::move(work)] {
    Contained([&] { status_ = work(cancel_.fd()); },
              [this](const char* what) {
                status_ = {Code::kUnavailable, what};
              });
    ended_ = true;
    ended_fd_.Signal();
  });
}

bool Background::Take(Status* status) {
  if (!running() || !ended_) return false;
  thread_.join();
  *status = std::move(status_);
  return true;
}

void Background::Cancel() noexcept {
  if (!running()) return;
  cancel_.Signal();
  thread_.join();
}

}  // namespace dsmsg
