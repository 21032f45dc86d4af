// SPDX-License-Identifier: Apache-2.0
#include "core/spool/spool.h"

#include "core/spool/spool_core.h"

namespace dsmsg {

Result<std::unique_ptr<Spool>> Spool::Open(const SpoolOptions& options, Logger& logger) {
  auto core = std::make_shared<SpoolCore>(options, logger);
  if (Status status = core->Open(); !status.ok()) return status;
  return std::unique_ptr<Spool>(new Spool(std::move(core)));
}

Spool::Spool(std::shared_ptr<SpoolCore> core) : core_(std::move(core)) {}

Spool::~Spool() { core_->Close(Clock::now() + Millis(1000)); }

Status Spool::Start(SpoolListener* listener) { return core_->Start(listener); }

Status Spool::Append(const Message& message, int64_t accepted_ms, SpoolTicket ticket) {
  return core_->Append(message, accepted_ms, ticket, std::nullopt);
}

Status Spool::Append(const Message& message, int64_t accepted_ms, SpoolTicket ticket,
                     uint64_t failures) {
  return core_->Append(message, accepted_ms, ticket, failures);
}

uint64_t Spool::failures() const { return core_->failures(); }

void Spool::BeginFront(size_t count) { core_->BeginFront(count); }
void Spool::RetryNow() { core_->RetryNow(); }

size_t Spool::Fetch(size_t max_messages, size_t max_bytes, std::vector<SpoolMessage>* out) {
  return core_->Fetch(max_messages, max_bytes, out);
}

void Spool::MarkDelivered(std::span<const uint64_t> ids) { core_->MarkDelivered(ids); }
void Spool::Release(std::span<const uint64_t> ids) { core_->Release(ids); }
bool Spool::HasBacklog(std::string_view key) const { return core_->HasBacklog(key); }
uint64_t Spool::removals() const { return core_->removals(); }
uint64_t Spool::backlog() const { return core_->backlog(); }
uint64_t Spool::losses() const { return core_->losses(); }
SpoolStats Spool::Stats() const { return core_->Stats(); }
const std::string& Spool::path() const { return core_->path(); }
bool Spool::Flush(Deadline deadline) { return core_->Flush(deadline); }
void Spool::Close(Deadline deadline) { core_->Close(deadline); }

}  // namespace dsmsg
