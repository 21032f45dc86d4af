// SPDX-License-Identifier: Apache-2.0
#include "adaptors/redis/reply.h"

#include <read.h>

#include <new>

namespace dsmsg::redis {
namespace {

// What the callbacks return: the parser only requires non-null; everything is kept in the
// ReplyReader.
char g_object;

void* Add(const redisReadTask* task, Reply::Type type, int64_t integer, const char* text,
          size_t length) {
  static_cast<ReplyReader*>(task->privdata)
      ->Add(type, integer, text, length, task->parent == nullptr);
  return &g_object;
}

void* OnString(const redisReadTask* task, char* text, size_t length) {
  Reply::Type type = Reply::Type::kString;
  if (task->type == REDIS_REPLY_STATUS) type = Reply::Type::kStatus;
  if (task->type == REDIS_REPLY_ERROR) type = Reply::Type::kError;
  return Add(task, type, 0, text, length);
}

// The count is an int before hiredis 1.0 and a size_t since; its type follows from the field it is
// assigned to.
template <class Count>
void* OnArray(const redisReadTask* task, Count count) {
  return Add(task, Reply::Type::kArray, static_cast<int64_t>(count), nullptr, 0);
}

void* OnInteger(const redisReadTask* task, long long value) {  // NOLINT(google-runtime-int)
  return Add(task, Reply::Type::kInteger, value, nullptr, 0);
}

void* OnNil(const redisReadTask* task) { return Add(task, Reply::Type::kNil, 0, nullptr, 0); }

// hiredis 1.0 added these two for RESP3, which we do not request; without them it would call a null
// pointer.
[[maybe_unused]] void* OnDouble(const redisReadTask* task, double, char* text, size_t length) {
  return Add(task, Reply::Type::kString, 0, text, length);
}

[[maybe_unused]] void* OnBool(const redisReadTask* task, int value) {
  return Add(task, Reply::Type::kInteger, value, nullptr, 0);
}

template <class Functions>
Functions MakeFunctions() {
  Functions functions{};
  functions.createString = OnString;
  functions.createArray = OnArray;
  functions.createInteger = OnInteger;
  functions.createNil = OnNil;
  if constexpr (requires { functions.createDouble; }) functions.createDouble = OnDouble;
  if constexpr (requires { functions.createBool; }) functions.createBool = OnBool;
  functions.freeObject = [](void*) {};
  return functions;
}

redisReader* MakeReader(void* owner) {
  static redisReplyObjectFunctions functions = MakeFunctions<redisReplyObjectFunctions>();
  redisReader* reader = redisReaderCreateWithFunctions(&functions);
  if (reader == nullptr) throw std::bad_alloc();
  reader->privdata = owner;
  reader->maxbuf = 0;  // keep the buffer: otherwise it is freed and allocated again at every pause
  return reader;
}

}  // namespace

size_t Reply::Next(size_t node) const {
  size_t left = 1;
  while (left > 0) {
    left += count(node) - 1;
    ++node;
  }
  return node;
}

size_t Reply::At(size_t array, size_t n) const {
  size_t node = First(array);
  while (n-- > 0) node = Next(node);
  return node;
}

ReplyReader::ReplyReader() : reader_(MakeReader(this)) {}
ReplyReader::~ReplyReader() = default;
void ReplyReader::Free::operator()(redisReader* reader) const { redisReaderFree(reader); }

void ReplyReader::Reset() { reader_.reset(MakeReader(this)); }

void ReplyReader::Feed(const char* data, size_t size) {
  // A failure (out of memory) is stored in the reader and returned by Get.
  (void)redisReaderFeed(reader_.get(), data, size);
}

ReplyReader::Result ReplyReader::Get() {
  void* object = nullptr;
  if (redisReaderGetReply(reader_.get(), &object) != REDIS_OK) return Result::kBroken;
  return object == nullptr ? Result::kNone : Result::kReply;
}

std::string ReplyReader::ErrorText() const { return reader_->errstr; }

void ReplyReader::Add(Reply::Type type, int64_t integer, const char* text, size_t length,
                      bool root) {
  if (root) {
    reply_.nodes_.clear();
    reply_.bytes_.clear();
    // A single huge batch must not hold its memory for ever.
    if (reply_.bytes_.capacity() > size_t{4} << 20) reply_.bytes_.shrink_to_fit();
  }
  const size_t offset = reply_.bytes_.size();
  if (length > 0) reply_.bytes_.append(text, length);
  reply_.nodes_.push_back({type, integer, offset, length});
}

}  // namespace dsmsg::redis
