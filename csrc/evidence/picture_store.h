// SPDX-License-Identifier: Apache-2.0
// Where pictures are kept: a folder, or what an adaptor can reach (Redis, S3).
#ifndef DSMSG_EVIDENCE_PICTURE_STORE_H_
#define DSMSG_EVIDENCE_PICTURE_STORE_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/base/status.h"
#include "core/base/time.h"
#include "evidence/settings.h"

namespace dsmsg::evidence {

/// Threads: Uri from any; Put and Tend from one thread at a time; Stop from any, once, perhaps
/// while another thread is inside Put.
class PictureStore {
 public:
  using Done = std::function<void(const Status&)>;

  PictureStore() = default;
  virtual ~PictureStore() = default;
  PictureStore(const PictureStore&) = delete;
  PictureStore& operator=(const PictureStore&) = delete;

  /// What a message calls the picture of this name.
  virtual std::string Uri(const std::string& name) const = 0;
  /// Stores a file. `done` is called exactly once, on any thread, perhaps before this returns; ok:
  /// the picture is safe.
  virtual void Put(const std::string& name, const std::string& bytes, Done done) = 0;
  /// What went wrong with the server last; "": nothing. Any thread.
  virtual std::string Trouble() const { return {}; }
  /// Called about every second: deletes what is too old or too much.
  virtual void Tend() {}
  /// Ends what is under way by `deadline`: what is not stored by then is lost.
  virtual void Stop(Deadline deadline) = 0;
};

/// The store that the settings name. An error says what is wrong with it; a server that cannot be
/// reached now is not an error. `warnings`: what a person should know.
Result<std::shared_ptr<PictureStore>> OpenStore(const EvidenceSettings& settings,
                                                std::vector<std::string>* warnings);

}  // namespace dsmsg::evidence

#endif  // DSMSG_EVIDENCE_PICTURE_STORE_H_
