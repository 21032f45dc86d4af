// SPDX-License-Identifier: Apache-2.0
// gzip with zlib; keeps zlib's memory (a quarter of a megabyte) from one body to the next.
//
// Threads: one at a time.
#ifndef DSMSG_ADAPTORS_HTTP_GZIP_H_
#define DSMSG_ADAPTORS_HTTP_GZIP_H_

#include <zlib.h>

#include <memory>
#include <string>
#include <string_view>

namespace dsmsg::http {

class Gzip {
 public:
  /// False: no memory, or the result would not be smaller.
  bool Compress(std::string_view bytes, std::string* out);

 private:
  struct End {
    void operator()(z_stream* stream) const;
  };
  std::unique_ptr<z_stream, End> stream_;  // made when it is needed
};

}  // namespace dsmsg::http

#endif  // DSMSG_ADAPTORS_HTTP_GZIP_H_
