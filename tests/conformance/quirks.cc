// SPDX-License-Identifier: Apache-2.0
#include "quirks.h"

#include <algorithm>

namespace dsmsg::conformance {
namespace {

struct Registry {
  std::vector<std::unique_ptr<Quirks>> owned;
  std::vector<Quirks*> all;
};

Registry& TheRegistry() {
  static Registry registry;
  return registry;
}

}  // namespace

Server& Quirks::shared() {
  shared_used_ = true;
  if (!shared_) shared_ = std::make_unique<Server>(server_kind(), server_args());
  shared_->EnsureUp();
  return *shared_;
}

Server& Quirks::faulty() {
  using Killed = Server::Killed;
  faulty_used_ = true;
  if (!faulty_) {
    faulty_ = std::make_unique<Server>(server_kind(), server_args(),
                                       survives_kill() ? Killed::kProcess : Killed::kConnections);
  }
  faulty_->EnsureUp();
  return *faulty_;
}

void Quirks::TestFailed() {
  if (shared_used_) End(&shared_);
  if (faulty_used_) End(&faulty_);
}

void Quirks::End(std::unique_ptr<Server>* server) {
  // If everything fails, waiting for new servers would take far too long.
  constexpr int kOften = 10;
  if (!*server || ++ended_ > kOften) return;
  Forget(**server);
  server->reset();
}

const std::vector<Quirks*>& AllQuirks() { return TheRegistry().all; }

bool RegisterQuirks(std::unique_ptr<Quirks> quirks) {
  Registry& registry = TheRegistry();
  registry.all.push_back(quirks.get());
  registry.owned.push_back(std::move(quirks));
  std::sort(registry.all.begin(), registry.all.end(),
            [](const Quirks* a, const Quirks* b) { return a->protocol() < b->protocol(); });
  return true;
}

void CloseServers() {
  TheRegistry().all.clear();
  TheRegistry().owned.clear();
}

}  // namespace dsmsg::conformance
