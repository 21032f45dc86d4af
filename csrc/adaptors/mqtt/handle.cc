// SPDX-License-Identifier: Apache-2.0
#include "adaptors/mqtt/handle.h"

#include <netdb.h>
#include <signal.h>

#include <cerrno>
#include <mutex>

#include "core/base/fork.h"

namespace dsmsg::mqtt {
namespace {

// How many messages a server may send without an acknowledgement: as many as the core's inbox
// holds.
constexpr int kReceiveMaximum = 1000;

// mosquitto_new makes the whole process ignore SIGPIPE, which is for the host to decide. (The
// thread that writes to sockets blocks it.) One at a time: otherwise a second connection would
// mistake what the library set for the first for the host's choice.
class SigpipeKept {
 public:
  SigpipeKept() : lock_(Mutex()) { sigaction(SIGPIPE, nullptr, &before_); }
  ~SigpipeKept() {
    struct sigaction now {};
    sigaction(SIGPIPE, nullptr, &now);
    // The host has installed another handler meanwhile.
    if (Ignores(now) && !Ignores(before_)) sigaction(SIGPIPE, &before_, nullptr);
  }
  SigpipeKept(const SigpipeKept&) = delete;
  SigpipeKept& operator=(const SigpipeKept&) = delete;

 private:
  static std::mutex& Mutex() {
    static PerProcess<std::mutex> mutex;  // outlives every thread at the process's end
    return mutex.Get();
  }
  static bool Ignores(const struct sigaction& action) {
    return (action.sa_flags & SA_SIGINFO) == 0 && action.sa_handler == SIG_IGN;
  }

  const std::lock_guard<std::mutex> lock_;
  struct sigaction before_ {};
};

// Never undone: other users of the library in this process count on it too.
void InitLibrary() {
  static const int done = mosquitto_lib_init();
  (void)done;
}

}  // namespace

bool MqttProperties::AddUser(std::string_view name, std::string_view value) {
  if (name.find('\0') != name.npos || value.find('\0') != value.npos) return false;
  return mosquitto_property_add_string_pair(&list_, MQTT_PROP_USER_PROPERTY,
                                            std::string(name).c_str(),
                                            std::string(value).c_str()) == MOSQ_ERR_SUCCESS &&
         mosquitto_validate_utf8(name.data(), static_cast<int>(name.size())) == MOSQ_ERR_SUCCESS &&
         mosquitto_validate_utf8(value.data(), static_cast<int>(value.size())) == MOSQ_ERR_SUCCESS;
}

bool MqttProperties::AddUsers(const Pairs& pairs) {
  for (const auto& [name, value] : pairs) {
    if (!AddUser(name, value)) return false;
  }
  return true;
}

Result<MosquittoPtr> MakeMosquitto(const MqttSettings& settings, const Login& login, bool version5,
                                   void* user) {
  InitLibrary();
  MosquittoPtr object;
  {
    const SigpipeKept kept;
    object.reset(mosquitto_new(settings.client_id.c_str(), settings.clean_session, user));
  }
  if (object == nullptr) return Status(Code::kInternal, "mosquitto_new: out of memory");
  int error = mosquitto_int_option(object.get(), MOSQ_OPT_PROTOCOL_VERSION,
                                   version5 ? MQTT_PROTOCOL_V5 : MQTT_PROTOCOL_V311);
  mosquitto_int_option(object.get(), MOSQ_OPT_TCP_NODELAY, 1);
  // We keep the window ourselves: the library's own would hold messages back in an unbounded queue.
  mosquitto_int_option(object.get(), MOSQ_OPT_SEND_MAXIMUM, 65535);
  mosquitto_int_option(object.get(), MOSQ_OPT_RECEIVE_MAXIMUM, kReceiveMaximum);
  if (error == MOSQ_ERR_SUCCESS && (!login.user.empty() || !login.password.empty())) {
    if (!version5 && login.user.empty()) {
      return Status(Code::kAuth,
                    "a password is set without a user name, which MQTT 3.1.1 does not allow (set "
                    "USER_MQTT as well as PASSWORD_MQTT)");
    }
    error =
        mosquitto_username_pw_set(object.get(), login.user.empty() ? nullptr : login.user.c_str(),
                                  login.password.empty() ? nullptr : login.password.c_str());
  }
  if (error == MOSQ_ERR_SUCCESS && settings.will) {
    const MqttSettings::Will& will = *settings.will;
    error =
        mosquitto_will_set(object.get(), will.topic.c_str(), static_cast<int>(will.payload.size()),
                           will.payload.data(), will.qos, will.retain);
  }
  if (error != MOSQ_ERR_SUCCESS) {
    return Status(Code::kInvalidArgument,
                  std::string("cannot set up the MQTT client: ") + mosquitto_strerror(error));
  }
  return object;
}

int BeginConnect(mosquitto* object, const MqttSettings& settings, bool version5,
                 const Address& address, uint16_t port) {
  char host[NI_MAXHOST];
  if (getnameinfo(reinterpret_cast<const sockaddr*>(&address.storage), address.length, host,
                  sizeof host, nullptr, 0, NI_NUMERICHOST) != 0) {
    errno = EAFNOSUPPORT;
    return MOSQ_ERR_ERRNO;
  }
  if (version5 && !settings.clean_session) {
    // The non-blocking connect call takes no properties but uses those of the blocking one. That
    // one stores them before it checks the host, and fails at once without a host. (Shown by the
    // test SessionsOutliveTheConnection.)
    MqttProperties properties;
    properties.Add32(MQTT_PROP_SESSION_EXPIRY_INTERVAL, settings.session_expiry);
    mosquitto_connect_bind_v5(object, nullptr, port, settings.keep_alive, nullptr,
                              properties.get());
  }
  // If told that there is a thread, the library sends CONNECT later, so that we can take over the
  // socket first.
  mosquitto_threaded_set(object, true);
  errno = 0;
  return mosquitto_connect_async(object, host, port, settings.keep_alive);
}

}  // namespace dsmsg::mqtt
