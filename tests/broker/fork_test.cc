// SPDX-License-Identifier: Apache-2.0
// A child of fork() and the handles of its parent.
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "harness.h"

namespace dsmsg::client_test {
namespace {

// The sanitizers' own allocator (GCC 12) may hold a lock for the busy thread, which stays locked in
// the child.
#ifdef DSMSG_SANITIZED
constexpr bool kBusy = false;
#else
constexpr bool kBusy = true;
#endif

// ThreadSanitizer keeps the parent's threads in the child, and ends it when a new one has the same
// id.
#ifdef __SANITIZE_THREAD__
constexpr bool kOwnThreads = false;
#else
constexpr bool kOwnThreads = true;
#endif

class Fork : public ClientTest {};

void Ignore(NvMsgBrokerErrorType, void*, int, char*, void*) {}

// 7: success; any other value says where it went wrong.
int UseInChild(Fake& fake, NvMsgBrokerClientHandle parents) {
  alarm(300);
  char payload[] = "x", topic[] = "topic";
  char* topics[] = {topic};
  const NvMsgBrokerClientMsg message{topic, payload, 1};
  if (nv_msgbroker_send_async(parents, message, nullptr, nullptr) != NV_MSGBROKER_API_ERR) return 1;
  if (nv_msgbroker_subscribe(parents, topics, 1, &Ignore, nullptr) != NV_MSGBROKER_API_ERR)
    return 2;
  if (nv_msgbroker_disconnect(parents) != NV_MSGBROKER_API_ERR) return 3;
  const std::vector<std::string> log = TakeLog();
  if (std::none_of(log.begin(), log.end(), [](const std::string& line) {
        return line.find("send_async: this handle belongs to the parent process") != line.npos;
      })) {
    return 6;
  }
  if (!kOwnThreads) return 7;
  const NvMsgBrokerClientHandle own = Connect(fake);
  if (own == nullptr || own == parents) return 4;
  return nv_msgbroker_disconnect(own) == NV_MSGBROKER_API_OK ? 7 : 5;
}

TEST_F(Fork, AHandleOfTheParentIsRefusedAtOnce) {
  for (Fake* fake : {&Plain(), &Ours()}) {
    const auto handle = Connect(*fake);
    Sends sends;
    std::atomic<bool> stop{false};
    std::thread busy([&] {
      while (kBusy && !stop) sends.Send(handle, "x");
    });
    for (int i = 0; i < 20; ++i) {
      pid_t child = -1;
      // The fake is not under test: its lock is not held during the fork.
      fake->With([&](fake::State&) { return child = fork(); });
      if (child == 0) _exit(UseInChild(*fake, handle));
      int status = 0;
      waitpid(child, &status, 0);
      EXPECT_TRUE(WIFEXITED(status));
      EXPECT_EQ(WEXITSTATUS(status), 7);
    }
    stop = true;
    busy.join();
    EXPECT_TRUE(sends.WaitAll());
    EXPECT_EQ(nv_msgbroker_disconnect(handle), NV_MSGBROKER_API_OK);
    EXPECT_FALSE(sends.doubled());
  }
}

}  // namespace
}  // namespace dsmsg::client_test
