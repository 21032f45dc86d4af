// SPDX-License-Identifier: Apache-2.0
// Pictures in Redis or S3, through the adaptor redis or http: its queue, spool, retries,
// reconnecting and TLS are those of messages.
#ifndef DSMSG_EVIDENCE_ADAPTOR_STORE_H_
#define DSMSG_EVIDENCE_ADAPTOR_STORE_H_

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "core/base/fd.h"
#include "evidence/picture_store.h"
#include "host/connection.h"

namespace dsmsg::evidence {

class AdaptorStore final : public PictureStore {
 public:
  /// A server that cannot be reached now is no error: pictures wait for it.
  static Result<std::shared_ptr<AdaptorStore>> Open(const EvidenceSettings& settings,
                                                    std::vector<std::string>* warnings);
  ~AdaptorStore() override;

  std::string Uri(const std::string& name) const override;
  void Put(const std::string& name, const std::string& bytes, Done done) override;
  std::string Trouble() const override;
  void Stop(Deadline deadline) override;

 private:
  class Sender;
  explicit AdaptorStore(const EvidenceSettings& settings);
  std::string KeyOf(const std::string& name) const { return prefix_ + name; }
  std::string WhyNot(host::SendResult result) const;

  const std::string prefix_, uri_start_, place_;
  UniqueFd config_;  // a file in memory, which the adaptor may read again
  std::shared_ptr<Sender> sender_;
  host::Connection::Slots::SlotPtr slot_;
  std::atomic<bool> stopped_{false};
};

/// The adaptor's configuration: what `more`, a file of the user, says, and what storing pictures
/// needs. An error names an option that both set.
Result<std::string> AdaptorConfig(const EvidenceSettings& settings, const std::string& more);

}  // namespace dsmsg::evidence

#endif  // DSMSG_EVIDENCE_ADAPTOR_STORE_H_
