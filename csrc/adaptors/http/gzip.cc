// SPDX-License-Identifier: Apache-2.0
#include "adaptors/http/gzip.h"

#include <limits>

namespace dsmsg::http {
namespace {

constexpr int kWindow = 15 + 16;  // the largest, in gzip's form
constexpr int kMemory = 8;        // zlib's default

}  // namespace

void Gzip::End::operator()(z_stream* stream) const {
  deflateEnd(stream);
  delete stream;
}

bool Gzip::Compress(std::string_view bytes, std::string* out) {
  if (bytes.size() > std::numeric_limits<uInt>::max()) return false;
  if (stream_ == nullptr) {
    auto stream = std::make_unique<z_stream>();
    if (deflateInit2(stream.get(), Z_DEFAULT_COMPRESSION, Z_DEFLATED, kWindow, kMemory,
                     Z_DEFAULT_STRATEGY) != Z_OK) {
      return false;
    }
    stream_.reset(stream.release());
  } else {
    deflateReset(stream_.get());
  }
  out->resize(bytes.size());
  stream_->next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream_->avail_in = static_cast<uInt>(bytes.size());
  stream_->next_out = reinterpret_cast<Bytef*>(out->data());
  stream_->avail_out = static_cast<uInt>(out->size());
  if (deflate(stream_.get(), Z_FINISH) != Z_STREAM_END) return false;  // larger than `bytes`
  out->resize(stream_->total_out);
  return true;
}

}  // namespace dsmsg::http
