// SPDX-License-Identifier: Apache-2.0
#include "receiver.h"

#include <algorithm>
#include <chrono>
#include <iterator>

namespace py = pybind11;

namespace dsmsg::python {
namespace {

std::string Bytes(const uint8_t* data, size_t size) {
  return data == nullptr ? std::string() : std::string(reinterpret_cast<const char*>(data), size);
}

// Bytes that are no text are kept, as Python does in names of files.
py::object Text(const std::string& text) {
  auto object = py::reinterpret_steal<py::object>(
      PyUnicode_DecodeUTF8(text.data(), static_cast<Py_ssize_t>(text.size()), "surrogateescape"));
  if (!object) throw py::error_already_set();
  return object;
}

py::object Present(int64_t value) {
  if (value < 0) return py::none();
  return py::int_(value);
}

}  // namespace

int Receiver::Subscribe(const std::vector<std::string>& topics) {
  const Gate::Pass pass(gate_);
  std::vector<const char*> names;
  names.reserve(topics.size());
  for (const std::string& topic : topics) names.push_back(topic.c_str());
  const py::gil_scoped_release unlocked;
  return f_.subscribe_message(handle_, names.data(), static_cast<int>(names.size()), &OnMessage,
                              DSMSG_MANUAL_ACK, this);
}

void Receiver::OnMessage(const DsmsgReceived* message, void* self) {
  Item item;
  item.topic = message->topic;
  item.payload = Bytes(message->payload, message->payload_len);
  item.has_key = message->key != nullptr;
  item.key = Bytes(message->key, message->key_len);
  item.id = message->id;
  item.redelivered = message->redelivered != 0;
  for (size_t i = 0; i < message->num_headers; ++i) {
    const DsmsgReceivedHeader& header = message->headers[i];
    item.headers.emplace_back(header.name, Bytes(header.value, header.value_len));
  }
  item.timestamp_ms = message->timestamp_ms;
  item.offset = message->offset;
  item.partition = message->partition;
  item.ack = message->ack;
  auto& receiver = *static_cast<Receiver*>(self);
  const std::lock_guard lock(receiver.mutex_);
  if (receiver.closed_) return;  // unacknowledged: it comes again
  receiver.items_.push_back(std::move(item));
  if (receiver.items_.size() == 1) receiver.changed_.notify_all();
}

py::object Receiver::Take(size_t most, double timeout_s) {
  std::vector<Item> taken;
  {
    const py::gil_scoped_release unlocked;
    std::unique_lock lock(mutex_);
    const auto due = [this] { return closed_ || !items_.empty(); };
    if (timeout_s < 0) {
      changed_.wait(lock, due);
    } else {
      changed_.wait_for(lock, std::chrono::duration<double>(timeout_s), due);
    }
    const size_t count = closed_ ? 0 : std::min(most, items_.size());
    const auto end = items_.begin() + static_cast<std::ptrdiff_t>(count);
    std::move(items_.begin(), end, std::back_inserter(taken));
    items_.erase(items_.begin(), end);
    if (closed_) {
      lock.unlock();
      const py::gil_scoped_acquire locked;
      return py::none();
    }
  }
  py::list messages(taken.size());
  for (size_t i = 0; i < taken.size(); ++i) messages[i] = Make(taken[i]);
  return messages;
}

py::object Receiver::Make(const Item& item) {
  if (!topic_ || topic_name_ != item.topic) {
    topic_ = Text(item.topic);
    topic_name_ = item.topic;
  }
  py::tuple headers(item.headers.size());
  for (size_t i = 0; i < item.headers.size(); ++i) {
    const auto& [name, value] = item.headers[i];
    headers[i] = py::make_tuple(Text(name), py::bytes(value));
  }
  py::object key = py::none();
  if (item.has_key) key = py::bytes(item.key);
  return make_(topic_, py::bytes(item.payload), ok_, key, headers, Present(item.timestamp_ms),
               Present(item.partition), Present(item.offset), Text(item.id), item.redelivered,
               item.ack);
}

// It does not wait, so releasing Python's lock would cost more than the call.
int Receiver::Ack(uint64_t number) {
  const Gate::Pass pass(gate_);
  return f_.ack(handle_, number);
}

void Receiver::Close() {
  const py::gil_scoped_release unlocked;
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    items_.clear();
    changed_.notify_all();
  }
  gate_.Close();
}

}  // namespace dsmsg::python
