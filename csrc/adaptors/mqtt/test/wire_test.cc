// SPDX-License-Identifier: Apache-2.0
// The bytes on the way: segments and packets rather than messages.
#include <linux/sockios.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <thread>

#include "adaptors/mqtt/test/fixture.h"
#include "adaptors/mqtt/test/script_server.h"

namespace dsmsg::mqtt {
namespace {

std::string ReceiveSome(int fd) {
  char buffer[4096];
  const ssize_t got = recv(fd, buffer, sizeof buffer, 0);
  return {buffer, got > 0 ? static_cast<size_t>(got) : 0};
}

// A server that leaves Nagle's algorithm on, as Mosquitto does, holds its next answer until our
// kernel has acknowledged the previous one. The kernel may delay that by 40 ms, so the wire must
// make it acknowledge at once when nothing is sent.
TEST(MqttWire, AnswersAreAcknowledgedBeforeAWait) {
  constexpr int kRounds = 60, kFirst = 20;  // a young connection is acknowledged at once anyway
  const UniqueFd listener(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  socklen_t size = sizeof address;
  ASSERT_EQ(listen(listener.get(), 1), 0);
  ASSERT_EQ(getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
  UniqueFd server;
  std::thread login([&] {
    server = UniqueFd(accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
    ReceiveSome(server.get());  // CONNECT
    const std::string answer = ScriptServer::Connack5(0);
    (void)!send(server.get(), answer.data(), answer.size(), MSG_NOSIGNAL);
  });
  Connection connection("127.0.0.1;" + std::to_string(ntohs(address.sin_port)));
  const Status status = connection.Open();
  login.join();
  ASSERT_TRUE(status.ok()) << status.message();
  int put_off = 0;
  for (size_t i = 1; i <= kRounds; ++i) {
    ASSERT_TRUE(connection.Send("t", "x").ok());
    ASSERT_TRUE(connection.driver.Poll(Millis(0), connection.wake.fd()).ok());
    const std::string answer = ScriptServer::Puback5(ReceiveSome(server.get()), 0);
    ASSERT_EQ(send(server.get(), answer.data(), answer.size(), MSG_NOSIGNAL), 5);
    ASSERT_TRUE(connection.WaitCompleted(i).ok());
    ASSERT_TRUE(connection.driver.Poll(Millis(0), connection.wake.fd()).ok());
    int unacknowledged = 0;
    ASSERT_EQ(ioctl(server.get(), SIOCOUTQ, &unacknowledged), 0);
    if (i > kFirst && unacknowledged > 0) ++put_off;
  }
  EXPECT_LT(put_off, (kRounds - kFirst) / 2);
}

}  // namespace
}  // namespace dsmsg::mqtt
