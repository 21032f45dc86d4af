// SPDX-License-Identifier: Apache-2.0
#include "sender.h"

#include <atomic>
#include <chrono>
#include <memory>

namespace py = pybind11;

namespace dsmsg::python {
namespace {

char* Mutable(const std::optional<std::string>& text) {
  return text ? const_cast<char*>(text->c_str()) : nullptr;  // the contract's type; only read
}

DsmsgMessage MessageOf(const std::optional<std::string>& topic, const Payload& payload) {
  DsmsgMessage message{};
  message.size = sizeof message;
  message.topic = topic ? topic->c_str() : nullptr;
  message.payload = payload.data();
  message.payload_len = payload.size();
  return message;
}

std::vector<Payload> Payloads(py::handle objects) {
  const auto all = py::reinterpret_steal<py::object>(
      PySequence_Fast(objects.ptr(), "payloads must be a sequence of bytes-like objects"));
  if (!all) throw py::error_already_set();
  const Py_ssize_t count = PySequence_Fast_GET_SIZE(all.ptr());
  std::vector<Payload> payloads;
  payloads.reserve(static_cast<size_t>(count));
  for (Py_ssize_t i = 0; i < count; ++i) {
    payloads.emplace_back(PySequence_Fast_GET_ITEM(all.ptr(), i));
  }
  return payloads;
}

}  // namespace

/// One message whose result goes to Python.
struct Sender::Call {
  Sender* sender;
  PyObject* done;  // an owned reference
};

/// The messages of one SendMany. It owns itself until the last one is called back, which may be
/// after SendMany gave up waiting.
struct Sender::Slot {
  Batch* batch;
  std::atomic<uint8_t> code{kUnfinished};
};
struct Sender::Batch {
  Batch(Sender* owner, size_t count) : sender(owner), slots(count), left(count) {
    for (Slot& slot : slots) slot.batch = this;
  }
  Sender* const sender;
  std::vector<Slot> slots;
  std::mutex mutex;  // guards the following
  std::condition_variable done;
  size_t left;
  std::shared_ptr<Batch> self;

  void Finish(Slot* slot, uint8_t code) {
    slot->code.store(code, std::memory_order_relaxed);
    std::shared_ptr<Batch> last;
    const std::lock_guard lock(mutex);
    if (--left > 0) return;
    last = std::move(self);
    done.notify_all();
  }
};

Sender::~Sender() {
  for (const auto& [done, code] : results_) Py_DECREF(done);
}

void Sender::Began(size_t count) {
  const std::lock_guard lock(mutex_);
  in_flight_ += count;
  if (in_flight_ == count) changed_.notify_all();
}

void Sender::Ended(size_t count) {
  const std::lock_guard lock(mutex_);
  in_flight_ -= count;
}

void Sender::OnSent(void* user, NvDsMsgApiErrorType result) {
  const std::unique_ptr<Call> call(static_cast<Call*>(user));
  Sender& self = *call->sender;
  const std::lock_guard lock(self.mutex_);
  --self.in_flight_;
  self.results_.emplace_back(call->done, static_cast<int>(result));
}

void Sender::OnSentOfBatch(void* user, NvDsMsgApiErrorType result) {
  auto* slot = static_cast<Slot*>(user);
  slot->batch->sender->Ended(1);
  slot->batch->Finish(slot, static_cast<uint8_t>(result));
}

int Sender::SendAsync(const std::optional<std::string>& topic, py::handle payload, py::object done,
                      std::optional<py::object> key,
                      const std::vector<std::pair<std::string, std::string>>& headers,
                      int64_t timestamp_ms) {
  const Gate::Pass pass(gate_);
  const Payload data(payload.ptr());
  const std::optional<Payload> key_data =
      key ? std::optional<Payload>(std::in_place, key->ptr()) : std::nullopt;
  const bool plain = !key && headers.empty() && timestamp_ms == 0;
  std::vector<DsmsgHeader> all;
  all.reserve(headers.size());
  for (const auto& [name, value] : headers) all.push_back({name.c_str(), value.c_str()});
  auto call = std::make_unique<Call>(Call{this, done.release().ptr()});
  NvDsMsgApiErrorType answer = NVDS_MSGAPI_ERR;
  {
    const py::gil_scoped_release unlocked;
    Began(1);
    if (plain) {
      answer =
          f_.send_async(handle_, Mutable(topic), data.data(), data.size(), &OnSent, call.get());
    } else {
      DsmsgMessage message = MessageOf(topic, data);
      if (key_data) {
        message.key = key_data->data();
        message.key_len = key_data->size();
      }
      message.headers = all.data();
      message.num_headers = all.size();
      message.timestamp_ms = timestamp_ms;
      answer = f_.send_message(handle_, &message, &OnSent, call.get());
    }
    if (answer != NVDS_MSGAPI_OK) Ended(1);
  }
  if (answer == NVDS_MSGAPI_OK) {
    (void)call.release();  // OnSent's
  } else {
    Py_DECREF(call->done);
  }
  return answer;
}

void Sender::Submit(const std::optional<std::string>& topic, const std::vector<Payload>& data,
                    const std::vector<Payload>& keys, const std::shared_ptr<Batch>& batch) {
  const Gate::Pass pass(gate_);
  batch->self = batch;
  Began(data.size());
  for (size_t i = 0; i < data.size(); ++i) {
    Slot* slot = &batch->slots[i];
    NvDsMsgApiErrorType answer = NVDS_MSGAPI_ERR;
    if (keys.empty()) {
      answer = f_.send_async(handle_, Mutable(topic), data[i].data(), data[i].size(),
                             &OnSentOfBatch, slot);
    } else {
      DsmsgMessage message = MessageOf(topic, data[i]);
      message.key = keys[i].data();
      message.key_len = keys[i].size();
      answer = f_.send_message(handle_, &message, &OnSentOfBatch, slot);
    }
    if (answer == NVDS_MSGAPI_OK) continue;
    Ended(1);
    batch->Finish(slot, kRefused);
  }
}

py::bytes Sender::SendMany(const std::optional<std::string>& topic, py::handle payloads,
                           std::optional<py::object> keys, double timeout_s) {
  const std::vector<Payload> data = Payloads(payloads);
  const std::vector<Payload> key_data = keys ? Payloads(*keys) : std::vector<Payload>();
  if (keys && key_data.size() != data.size()) {
    throw py::value_error("there must be as many keys as payloads");
  }
  if (data.empty()) return py::bytes();
  const auto batch = std::make_shared<Batch>(this, data.size());
  {
    const py::gil_scoped_release unlocked;
    Submit(topic, data, key_data, batch);
    // Not inside the gate: disconnect ends every message, and so this wait.
    std::unique_lock lock(batch->mutex);
    const auto finished = [&] { return batch->left == 0; };
    if (timeout_s < 0) {
      batch->done.wait(lock, finished);
    } else {
      batch->done.wait_for(lock, std::chrono::duration<double>(timeout_s), finished);
    }
  }
  std::string codes;
  codes.reserve(batch->slots.size());
  for (const Slot& slot : batch->slots) {
    codes += static_cast<char>(slot.code.load(std::memory_order_relaxed));
  }
  return py::bytes(codes);
}

py::object Sender::Work() {
  {
    const py::gil_scoped_release unlocked;
    std::unique_lock lock(mutex_);
    while (!stopped_ && results_.empty()) {
      if (in_flight_ == 0) {
        changed_.wait(lock);
        continue;
      }
      lock.unlock();
      f_.do_work(handle_);
      lock.lock();
    }
    if (stopped_ && results_.empty()) {
      lock.unlock();
      const py::gil_scoped_acquire locked;
      return py::none();
    }
  }
  return Take();
}

py::list Sender::Take() {
  std::vector<std::pair<PyObject*, int>> results;
  {
    const py::gil_scoped_release unlocked;
    const std::lock_guard lock(mutex_);
    results.swap(results_);
  }
  py::list list(results.size());
  for (size_t i = 0; i < results.size(); ++i) {
    list[i] =
        py::make_tuple(py::reinterpret_steal<py::object>(results[i].first), results[i].second);
  }
  return list;
}

void Sender::Stop() {
  const py::gil_scoped_release unlocked;
  const std::lock_guard lock(mutex_);
  stopped_ = true;
  changed_.notify_all();
}

void Sender::Close() {
  const py::gil_scoped_release unlocked;
  gate_.Close();
}

size_t Sender::pending() const {
  const std::lock_guard lock(mutex_);
  return in_flight_ + results_.size();
}

}  // namespace dsmsg::python
