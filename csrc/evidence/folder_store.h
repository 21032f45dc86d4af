// SPDX-License-Identifier: Apache-2.0
// Pictures as files in a folder, with a folder for each day. A file appears with all its bytes or
// not at all. What is too old or too much is deleted; other people's files never are.
#ifndef DSMSG_EVIDENCE_FOLDER_STORE_H_
#define DSMSG_EVIDENCE_FOLDER_STORE_H_

#include <map>
#include <memory>
#include <string>

#include "evidence/picture_store.h"

namespace dsmsg::evidence {

class FolderStore final : public PictureStore {
 public:
  /// Makes the folder if only that is missing. An error: no pictures can be written there.
  static Result<std::shared_ptr<FolderStore>> Open(const EvidenceSettings& settings);

  std::string Uri(const std::string& name) const override;
  void Put(const std::string& name, const std::string& bytes, Done done) override;
  void Tend() override;
  void Stop(Deadline) override {}

 private:
  explicit FolderStore(const EvidenceSettings& settings)
      : folder_(settings.folder),
        fsync_(settings.fsync),
        max_age_(settings.max_age),
        max_bytes_(settings.max_bytes) {}

  Status Write(const std::string& name, const std::string& bytes);
  Status MakeDay(const std::string& day);
  Status SyncFolder(const std::string& folder) const;
  /// Counts what is there, since other converters may use the folder too; deletes what a process
  /// that was killed left half-written.
  void Count();
  void DeleteOld();
  void DeleteOldest(uint64_t wanted);

  const std::string folder_;
  const bool fsync_;
  const Millis max_age_;
  const uint64_t max_bytes_;
  std::map<std::string, uint64_t> days_;  // bytes of each day's pictures
  std::string last_day_;                  // its folder is there
  Deadline next_count_{};
};

}  // namespace dsmsg::evidence

#endif  // DSMSG_EVIDENCE_FOLDER_STORE_H_
