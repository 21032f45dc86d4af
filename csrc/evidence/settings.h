// SPDX-License-Identifier: Apache-2.0
// What `evidence` and `evidence-config` of dsmsgconv say. Values; any thread may read.
#ifndef DSMSG_EVIDENCE_SETTINGS_H_
#define DSMSG_EVIDENCE_SETTINGS_H_

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/base/status.h"
#include "core/base/time.h"
#include "core/options/options.h"

namespace dsmsg::evidence {

struct EvidenceSettings {
  enum class Kind { kFolder, kRedis, kS3 };
  Kind kind = Kind::kFolder;
  std::string folder;          // of kFolder, absolute
  std::string address;         // of the others: where the adaptor connects; may have a password
  std::string public_address;  // the same for messages and errors
  std::string bucket;          // of kS3
  std::string prefix;          // of kRedis, kS3: what names begin with

  bool crop = true, frame = false;
  std::string when;        // an expression of a map; "": objects with an event
  double margin = 0.1;     // of the box, on each side
  int quality = 85;        // of JPEG
  int max_edge = 1920;     // pixels; 0: no limit
  Millis timeout{5000};    // how long a message waits
  size_t waiting = 1000;   // messages that wait at most
  size_t queue_bytes = 0;  // of pictures that wait to be stored
  bool fsync = true;       // of kFolder
  Millis max_age{0};       // of kFolder; 0: for ever
  uint64_t max_bytes = 0;  // of kFolder; 0: no limit
  Millis ttl{0};           // of kRedis; 0: for ever
  std::string region;      // of kS3
  std::string access_key, secret_key, session_token;  // of kS3; secrets
  std::string spool_dir;                              // of kRedis, kS3; "": none
  uint64_t spool_max_bytes = 0;
  std::string adaptor_config;  // file with more options of the adaptor; "": none
};

/// The options of the group [evidence], for the documentation too.
std::span<const OptionSpec> EvidenceOptions();

/// `destination`: a folder, redis://host:port/database, s3://bucket/prefix. `config`: a file with a
/// group [evidence], or key=value;key=value, or "". An error has file and line, and says what is
/// allowed. `warnings`: what a person should know.
Result<EvidenceSettings> ReadEvidenceSettings(const std::string& destination,
                                              const std::string& config,
                                              std::vector<std::string>* warnings);

}  // namespace dsmsg::evidence

#endif  // DSMSG_EVIDENCE_SETTINGS_H_
