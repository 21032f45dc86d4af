// SPDX-License-Identifier: Apache-2.0
#include "core/base/buffer.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstring>
#include <deque>
#include <limits>
#include <mutex>
#include <random>
#include <thread>
#include <vector>

namespace dsmsg {
namespace {

TEST(BufferTest, SizesAndClasses) {
  BufferPool pool;
  const struct {
    size_t size, capacity;
  } cases[] = {{0, 256},       {1, 256},       {256, 256},     {257, 512},        {1000, 1024},
               {65535, 65536}, {65536, 65536}, {65537, 65537}, {3000001, 3000001}};
  for (const auto& [size, capacity] : cases) {
    Buffer buffer = pool.Get(size);
    ASSERT_TRUE(buffer) << size;
    EXPECT_EQ(buffer.size(), size);
    EXPECT_EQ(buffer.capacity(), capacity);
    ASSERT_NE(buffer.data(), nullptr);
    std::memset(buffer.data(), 0xab, size);
  }
}

TEST(BufferTest, BlocksAreUsedAgain) {
  BufferPool pool;
  const uint8_t* address = nullptr;
  {
    const Buffer buffer = pool.Get(1000);
    address = buffer.data();
    EXPECT_EQ(pool.kept_bytes(), 0u);
  }
  EXPECT_EQ(pool.kept_bytes(), 1024u);
  EXPECT_EQ(pool.Get(513).data(), address);  // same class
  EXPECT_EQ(pool.kept_bytes(), 1024u);
  EXPECT_NE(pool.Get(2000).data(), address);  // another
  EXPECT_EQ(pool.kept_bytes(), 1024u + 2048u);
  EXPECT_TRUE(pool.Get(100000));
  EXPECT_EQ(pool.kept_bytes(), 1024u + 2048u);  // large ones are not kept
}

TEST(BufferTest, Moves) {
  BufferPool pool;
  Buffer a = pool.Get(10);
  uint8_t* data = a.data();
  Buffer b = std::move(a);
  // NOLINTBEGIN(bugprone-use-after-move,clang-analyzer-cplusplus.Move): promised to be empty
  EXPECT_FALSE(a);
  EXPECT_EQ(a.size(), 0u);
  // NOLINTEND(bugprone-use-after-move,clang-analyzer-cplusplus.Move)
  EXPECT_EQ(b.data(), data);
  Buffer c = pool.Get(10);
  c = std::move(b);
  EXPECT_EQ(c.data(), data);
  EXPECT_EQ(pool.kept_bytes(), 256u);  // the one that c held before
  Buffer& same = c;
  c = std::move(same);
  EXPECT_EQ(c.data(), data);
  c.Release();
  c.Release();
  EXPECT_FALSE(c);
  EXPECT_EQ(pool.kept_bytes(), 512u);
  Buffer empty;
  EXPECT_FALSE(empty);
  empty.Release();
}

TEST(BufferTest, OutlivesItsPool) {
  Buffer buffer;
  {
    BufferPool pool;
    buffer = pool.Get(300);
    pool.Get(300).Release();
  }
  std::memset(buffer.data(), 1, buffer.size());
  buffer.Release();
}

TEST(BufferTest, SharedMemoryGoesBackWithItsLastOwner) {
  BufferPool pool;
  Buffer buffer = pool.Get(300);
  uint8_t* const data = buffer.data();
  data[299] = 'x';
  std::shared_ptr<const void> other = buffer.Share(), third = buffer.Share();
  EXPECT_EQ(buffer.data(), data);
  EXPECT_EQ(buffer.size(), 300u);
  Buffer moved = std::move(buffer);
  moved.Release();
  EXPECT_FALSE(moved);
  EXPECT_EQ(data[299], 'x');
  EXPECT_EQ(pool.kept_bytes(), 0u);
  other.reset();
  EXPECT_EQ(pool.kept_bytes(), 0u);
  third.reset();
  EXPECT_EQ(pool.kept_bytes(), 512u);
  EXPECT_EQ(Buffer().Share(), nullptr);
}

TEST(BufferTest, KeptBytesAreBounded) {
  BufferPool pool;
  for (const size_t size : {size_t{256}, size_t{65536}, size_t{4096}}) {
    std::vector<Buffer> all;
    for (size_t sum = 0; sum < 3 * BufferPool::kMaxKept; sum += size) all.push_back(pool.Get(size));
    all.clear();
    EXPECT_LE(pool.kept_bytes(), BufferPool::kMaxKept);
    EXPECT_GE(pool.kept_bytes(), BufferPool::kMaxKept / 2);
  }
  EXPECT_EQ(pool.kept_bytes(), BufferPool::kMaxKept);
}

TEST(BufferTest, NoMemoryGivesAnEmptyOne) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  // A sanitizer's malloc ends the process unless told to return null.
  EXPECT_TRUE(BufferPool().Get(1));
#else
  EXPECT_FALSE(BufferPool().Get(std::numeric_limits<size_t>::max() / 2));
#endif
}

TEST(BufferTest, ManyThreadsAllocateAndFreeEachOthersBuffers) {
  BufferPool pool;
  std::mutex mutex;
  std::deque<std::pair<Buffer, uint8_t>> shared;
  std::atomic<int> damaged{0};
  const auto work = [&](unsigned seed) {
    std::mt19937 random(seed);
    for (int i = 0; i < 5000; ++i) {
      const auto mark = static_cast<uint8_t>(random());
      Buffer buffer = pool.Get(random() % 3 == 0 ? random() % 70000 : random() % 1000);
      std::memset(buffer.data(), mark, buffer.size());
      std::pair<Buffer, uint8_t> taken;
      {
        const std::lock_guard<std::mutex> lock(mutex);
        shared.emplace_back(std::move(buffer), mark);
        if (shared.size() > 50) {
          taken = std::move(shared.front());
          shared.pop_front();
        }
      }
      for (size_t at = 0; at < taken.first.size(); at += 97) {
        if (taken.first.data()[at] != taken.second) ++damaged;
      }
    }
  };
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < 4; ++i) threads.emplace_back(work, i);
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(damaged, 0);
  EXPECT_EQ(shared.size(), 50u);
  shared.clear();
  EXPECT_LE(pool.kept_bytes(), BufferPool::kMaxKept);
  EXPECT_GT(pool.kept_bytes(), 0u);
}

}  // namespace
}  // namespace dsmsg
